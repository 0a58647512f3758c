/** Tests where the admin API listens, and what it answers to probes. */
import { once } from 'node:events';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { startAdmin } from '#src/proxy/control/admin.js';
import { startHealthListener } from '#src/proxy/control/health-listener.js';
import { inFolder } from '../../in-folder.js';
import { ask, raw } from '../ask.js';
import { withToys } from '../toy-backend.js';
import { poolOfTwo, rejection, withAdmin } from '../with-admin.js';
import { blindHealth, withPool, withProxy } from '../with-proxy.js';

function askSocket(socketPath: string, target: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: target, agent: false }, response => {
      text(response).then(body => resolve({ status: response.statusCode, body }), reject);
    })
      .on('error', reject)
      .end();
  });
}

describe('admin API: a Unix socket', () => {
  it('answers there, lets no other user connect, and removes the socket when it closes', () =>
    inFolder(async folder => {
      const file = path.join(folder, 'admin.sock');
      const admin = await startAdmin({ path: file, token: undefined }, poolOfTwo());
      expect(admin.url).to.equal(`unix:${file}`);
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      expect((await askSocket(file, '/backends')).status).to.equal(200);
      expect(await readdir(folder)).to.deep.equal(['admin.sock']);
      await admin.close();
      expect(await readdir(folder)).to.deep.equal([]);
      await admin.close();
    }));

  it('asks for the token there too when one is given', () =>
    inFolder(async folder => {
      const file = path.join(folder, 'admin.sock');
      const admin = await startAdmin({ path: file, token: 's3cret' }, poolOfTwo());
      expect((await askSocket(file, '/backends')).status).to.equal(401);
      expect((await askSocket(file, '/live')).status).to.equal(200);
      await admin.close();
    }));

  it('replaces a stale socket', () =>
    inFolder(async folder => {
      const [file, moved] = [path.join(folder, 'admin.sock'), path.join(folder, 'moved.sock')];
      const dead = createServer().listen(moved);
      await once(dead, 'listening');
      await rename(moved, file);
      await new Promise(resolve => dead.close(resolve));
      const admin = await startAdmin({ path: file, token: undefined }, poolOfTwo());
      expect((await askSocket(file, '/backends')).status).to.equal(200);
      await admin.close();
    }));

  it('does not start beside a running process or on another file, and harms neither', () =>
    inFolder(async folder => {
      const [file, plain] = [path.join(folder, 'admin.sock'), path.join(folder, 'plain')];
      const first = await startAdmin({ path: file, token: undefined }, poolOfTwo());
      expect(await rejection(startAdmin({ path: file, token: undefined }, poolOfTwo()))).to.include('is running');
      expect((await askSocket(file, '/backends')).status).to.equal(200);
      await first.close();
      await writeFile(plain, 'data');
      expect(await rejection(startAdmin({ path: plain, token: undefined }, poolOfTwo()))).to.include('another kind');
      expect((await stat(plain)).size).to.equal(4);
    }));
});

describe('admin API: silent connections', () => {
  it('closes them after the time for the head, so that the next client is answered', function () {
    this.timeout(30_000);
    return withAdmin(async ({ url, ask }) => {
      const silent: Socket[] = [];
      const closed: Promise<unknown>[] = [];
      for (let nth = 0; nth < 200; nth += 1) {
        const socket = connect(Number(url.port), url.hostname).on('error', () => {});
        socket.resume();
        silent.push(socket);
        closed.push(once(socket, 'close'));
      }
      await Promise.all(closed);
      expect((await ask('GET', '/backends')).status).to.equal(200);
    });
  });

  it('survives a client that resets its connection while an answer is made', () =>
    withAdmin(async ({ url, ask, pool }) => {
      let go = () => {};
      pool.metrics = () => new Promise(resolve => (go = () => resolve('x'.repeat(1_000_000))));
      const socket = connect(Number(url.port), url.hostname);
      socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
      await once(socket, 'connect');
      while ((await ask('GET', '/backends')).status !== 200);
      socket.resetAndDestroy();
      go();
      expect((await ask('GET', '/backends')).status).to.equal(200);
    }));
});

describe('proxy: /live and /ready', () => {
  it('are ready while a backend is, and say why they are not otherwise', () =>
    withPool([undefined, undefined], {}, async (proxy, one, two) => {
      expect(await proxy.admin('GET', '/live')).to.include({ status: 200, text: 'live\n' });
      expect(await proxy.admin('GET', '/ready')).to.include({ status: 200, text: 'ready\n' });
      one.healthy = false;
      await proxy.goes('backend-1', 'down');
      expect((await proxy.admin('GET', '/ready')).status).to.equal(200);
      two.healthy = false;
      await proxy.goes('backend-2', 'down');
      expect(await proxy.admin('GET', '/ready')).to.include({ status: 503, text: 'no backend is ready: 2 down\n' });
      expect((await proxy.admin('GET', '/live')).status).to.equal(200);
      expect((await proxy.admin('POST', '/ready')).status).to.equal(404);
    }));

  it('are not ready while the proxy closes, and live until it has closed', () => {
    let finish = () => {};
    const slow = (_request: unknown, response: { end(): void }) => {
      finish = () => response.end();
    };
    return withPool([slow], { health: blindHealth }, async (proxy, toy) => {
      const asked = proxy.ask('/');
      while (toy.seen.length === 0) await proxy.admin('GET', '/live');
      const closed = proxy.close(10_000);
      const { status, text } = await proxy.admin('GET', '/ready');
      expect([status, text]).to.deep.equal([503, 'closing\n']);
      expect((await proxy.admin('GET', '/live')).status).to.equal(200);
      finish();
      await asked;
      await closed;
    });
  });

  it('need no token, and answer every Host, on the admin API', () =>
    withAdmin(
      async ({ ask }) => {
        for (const target of ['/live', '/ready']) {
          expect((await ask('GET', target, { headers: { host: 'probe.example' } })).status).to.equal(200);
        }
        expect((await ask('GET', '/backends')).status).to.equal(401);
      },
      { token: 's3cret' },
    ));

  it('are all that the listener for probes serves', async () => {
    const readiness: { notReady: () => string | undefined } = { notReady: () => undefined };
    const health = await startHealthListener({ host: '0.0.0.0', port: 0 }, readiness);
    const url = health.url.replace('0.0.0.0', '127.0.0.1');
    expect((await ask(url, '/live')).text).to.equal('live\n');
    readiness.notReady = () => 'closing';
    expect(await ask(url, '/ready?verbose')).to.include({ status: 503, text: 'closing\n' });
    for (const target of ['/backends', '/metrics', '/events', '/']) {
      expect((await ask(url, target)).status, target).to.equal(404);
      expect((await ask(url, target, { method: 'POST', body: '{"url":"http://127.0.0.1:1"}' })).status).to.equal(404);
    }
    expect(await raw(url, 'HEAD /live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')).to.match(/^HTTP\/1\.1 200 /);
    await health.close();
    await health.close();
  });

  it('are served beside the proxy while it runs, at the address that the event names', () =>
    withToys([undefined], toy =>
      withProxy([toy], { admin: undefined, healthListen: { host: '127.0.0.1', port: 0 } }, async proxy => {
        const event = await proxy.event(({ kind }) => kind === 'listening');
        if (event.kind !== 'listening') throw new Error('no address');
        expect(event.adminUrl).to.equal(undefined);
        expect((await ask(event.healthUrl ?? '', '/ready')).status).to.equal(200);
      }),
    ));
});
