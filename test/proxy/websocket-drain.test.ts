import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { engines } from '#src/proxy/engines/registry.js';
import { withToys } from './toy-backend.js';
import { affinity, withProxy } from './with-proxy.js';

const messages = 10_000;
const closings = 4;
const windowMs = 500;

/** Runs backends that echo WebSocket messages, text as text and bytes as bytes. */
async function withEchoes(use: Parameters<typeof withToys>[1]): Promise<void> {
  await withToys([undefined, undefined], async (...toys) => {
    const servers = toys.map(({ server }) => {
      const sockets = new WebSocketServer({ server });
      sockets.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })));
      return sockets;
    });
    try {
      await use(...toys);
    } finally {
      for (const { clients } of servers) for (const client of clients) client.terminate();
    }
  });
}

/** Makes messages shorter and longer than one socket read, text and bytes in turn, all different. */
function message(nth: number): string | Buffer {
  const text = `${nth}/`.repeat(nth % 500 === 0 ? 20_000 : 1 + (nth % 40));
  return nth % 2 === 0 ? text : Buffer.from(text);
}

async function open(url: string, cookie: string | undefined): Promise<{ socket: WebSocket; cookie: string }> {
  const socket = new WebSocket(url.replace('http', 'ws'), cookie === undefined ? {} : { headers: { cookie } });
  let issued = '';
  socket.on('upgrade', ({ headers }) => (issued = headers['set-cookie']?.[0]?.split(';')[0] ?? ''));
  await once(socket, 'open');
  return { socket, cookie: cookie ?? issued };
}

/** Sends the messages from `first` to before `end`. Resolves when each came back, in order. */
function exchange(socket: WebSocket, first: number, end: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = first;
    const lost = (): void => reject(new Error(`closed at message ${next}`));
    const onMessage = (data: Buffer, binary: boolean): void => {
      const sent = message(next);
      const same = binary === Buffer.isBuffer(sent) && String(data) === String(sent);
      if (!same) reject(new Error(`message ${next}: ${String(data).slice(0, 40)} came back`));
      next += 1;
      if (same && next < end) return;
      socket.off('message', onMessage).off('close', lost);
      resolve();
    };
    socket.on('message', onMessage).once('close', lost);
    for (let nth = first; nth < end; nth += 1) socket.send(message(nth));
  });
}

for (const engine of Object.keys(engines)) {
  it(`proxy: an echo of ${messages} messages survives the drain of another backend, engine ${engine}`, () =>
    withEchoes((...toys) =>
      withProxy(toys, { engine, affinity }, async proxy => {
        const [drained, kept] = [await open(proxy.url, undefined), await open(proxy.url, undefined)];
        const others = [drained.socket];
        while (others.length < closings) others.push((await open(proxy.url, drained.cookie)).socket);
        const share = messages / (closings + 1);
        await exchange(kept.socket, 0, share);
        const beganMs = performance.now();
        const gone = others.map(socket => once(socket, 'close').then(() => performance.now() - beganMs));
        expect((await proxy.view('backend-1')).inFlight).to.equal(closings);
        await proxy.admin('PUT', '/backends/backend-1', { state: 'drain', windowMs });
        // Exchanges a share of the messages while each tunnel closes, and the rest afterwards.
        for (let nth = 1; nth <= closings; nth += 1) {
          const nthGone = new Promise<void>(resolve => {
            let count = 0;
            for (const one of gone) void one.then(() => ++count === nth && resolve());
          });
          await Promise.all([exchange(kept.socket, nth * share, (nth + 1) * share), nthGone]);
        }
        const apartMs = windowMs / (closings + 1);
        const times = (await Promise.all(gone)).sort((a, b) => a - b);
        for (const [at, ms] of times.entries()) expect(ms).to.be.at.least(apartMs * (at + 1) - 5);
        expect(await proxy.event(({ kind }) => kind === 'drained')).to.include({ backend: 'backend-1' });
        expect(kept.socket.readyState).to.equal(WebSocket.OPEN);
        kept.socket.close();
      }),
    ));

  it(`proxy: closes WebSockets one by one over the grace period when it ends, engine ${engine}`, () =>
    withEchoes((...toys) =>
      withProxy(toys, { engine, affinity }, async proxy => {
        const sockets = [];
        for (let nth = 0; nth < closings; nth += 1) sockets.push((await open(proxy.url, undefined)).socket);
        const beganMs = performance.now();
        const gone = sockets.map(socket => once(socket, 'close').then(() => performance.now() - beganMs));
        const closed = proxy.close(windowMs);
        const apartMs = windowMs / (closings + 1);
        const times = (await Promise.all(gone)).sort((a, b) => a - b);
        for (const [at, ms] of times.entries()) expect(ms).to.be.at.least(apartMs * (at + 1) - 5);
        expect(times[0]).to.be.lessThan(windowMs - apartMs);
        await closed;
      }),
    ));
}
