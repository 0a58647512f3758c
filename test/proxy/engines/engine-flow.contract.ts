import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { withTcp } from '../toy-backend.js';
import { withEngine } from './with-engine.js';

const megabyte = 1024 * 1024;
const totalBytes = 48 * megabyte;
/** The buffers of the system on both connections. A proxy without back-pressure takes more. */
const heldBytesMax = 32 * megabyte;
const part = Buffer.alloc(megabyte / 4, 'holdfast');

interface Flow {
  readonly asks: string;
  readonly answers: string;
  readonly sender: 'client' | 'backend';
}

const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const flows: Record<string, Flow> = {
  'the body of a request': {
    asks: `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${totalBytes}\r\n\r\n`,
    answers: '',
    sender: 'client',
  },
  'the body of an answer': {
    asks: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    answers: `HTTP/1.1 200 OK\r\nContent-Length: ${totalBytes}\r\n\r\n`,
    sender: 'backend',
  },
  'a tunnel, towards the backend': { asks: upgrade, answers: switching, sender: 'client' },
  'a tunnel, towards the client': { asks: upgrade, answers: switching, sender: 'backend' },
};

/** Tests back-pressure: data waits for a slow receiver, and arrives when it reads. */
export function itAppliesBackPressure(make: EngineFactory): void {
  describe('flow', () => {
    for (const [what, { asks, answers, sender }] of Object.entries(flows)) {
      it(`makes the sender wait for a receiver that does not read: ${what}`, async () => {
        const { promise: accepted, resolve: onAccepted } = withResolvers<Socket>();
        await withTcp(onAccepted, url =>
          withEngine(make, [url], async engine => {
            const client = connectTo(engine.url);
            client.write(asks);
            // An engine may hold a head until a part of the body has arrived.
            const upload = answers === '' ? pour(client) : undefined;
            const backend = await accepted;
            const early = await behindHead(backend);
            backend.write(answers);
            if (answers !== '') await behindHead(client);
            const [from, to] = sender === 'client' ? [client, backend] : [backend, client];
            const sent = upload ?? pour(from);
            await standsStill(sent);
            expect(sent.bytes).to.be.lessThan(heldBytesMax);
            await receives(to, totalBytes - early);
            client.destroy();
          }),
        );
      });
    }

    it('does not read further requests of a client while many wait for their turn', async () => {
      await withTcp(
        () => {},
        url =>
          withEngine(make, [url], async ({ url, arrived }) => {
            const client = connectTo(url);
            const filler = 'x'.repeat(8_000);
            const requests = Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nX: ${filler}\r\n\r\n`.repeat(32));
            const sent = pour(client, requests);
            await arrived(1);
            await standsStill(sent);
            expect(sent.bytes).to.be.lessThan(heldBytesMax);
            client.destroy();
          }),
      );
    });
  });
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve = (_: T): void => {};
  const promise = new Promise<T>(settle => (resolve = settle));
  return { promise, resolve };
}

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port) }).on('error', () => {});
}

/** Resolves with the number of bytes after the head, and stops reading. */
async function behindHead(socket: Socket): Promise<number> {
  const [bytes]: Buffer[] = await once(socket, 'data');
  socket.pause();
  return bytes === undefined ? 0 : bytes.length - bytes.indexOf('\r\n\r\n') - 4;
}

/** Writes as much as the socket takes, up to the total. */
function pour(socket: Socket, piece = part): { readonly bytes: number } {
  const sent = { bytes: 0 };
  const go = (): void => {
    while (sent.bytes < totalBytes) {
      sent.bytes += piece.length;
      if (!socket.write(piece)) return void socket.once('drain', go);
    }
  };
  go();
  return sent;
}

async function standsStill(sent: { readonly bytes: number }): Promise<void> {
  for (let before = -1; before !== sent.bytes; ) {
    before = sent.bytes;
    await sleep(150);
  }
}

function receives(socket: Socket, bytes: number): Promise<void> {
  let received = 0;
  return new Promise(resolve => {
    socket.on('data', data => {
      received += data.length;
      if (received >= bytes) resolve();
    });
    socket.resume();
  });
}
