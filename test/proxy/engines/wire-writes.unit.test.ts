import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import { Writes } from '#src/proxy/engines/wire/connection-io.js';
import { wireEngine } from '#src/proxy/engines/wire.js';
import { makeDevCertificate } from '#src/proxy/front/tls-pair.js';
import { raw } from '../ask.js';
import { withPair } from '../socket-pair.js';
import { urlOf, withTcp } from '../toy-backend.js';
import { connectTo } from './engine-patience.contract.js';
import { type RunningEngine, withEngine } from './with-engine.js';

async function heldAndWritten(use: (writes: Writes, near: Socket, far: Socket) => Promise<void>): Promise<void> {
  await withPair(async (near, far) => {
    await once(near, 'connect');
    await use(new Writes(), near, far);
  });
}

function say(writes: Writes, socket: Socket, text: string): void {
  writes.hold(socket);
  socket.write(text, 'latin1');
}

describe('wire: what is written in one turn', () => {
  it('is sent together at the end of the turn', () =>
    heldAndWritten(async (writes, near, far) => {
      say(writes, near, 'one ');
      say(writes, near, 'two');
      expect(near.writableLength).to.equal(7);
      await endOfTurn();
      await endOfTurn();
      expect(near.writableLength).to.equal(0);
      expect(String((await once(far.resume(), 'data'))[0])).to.equal('one two');
    }));

  it('is sent sooner when many sockets wait', () =>
    heldAndWritten(async (writes, near) => {
      for (let nth = 0; nth < 31; nth++) say(writes, near, '.');
      expect(near.writableLength).to.equal(31);
      say(writes, near, '.');
      expect(near.writableLength).to.equal(0);
    }));

  it('keeps its order with other writes, and is not lost when a socket ends', () =>
    heldAndWritten(async (writes, near, far) => {
      say(writes, near, 'head ');
      near.write(Buffer.from('body '));
      say(writes, near, 'next');
      near.end();
      expect(String((await once(far.resume(), 'data'))[0])).to.equal('head body next');
    }));

  it('does not include a head whose body is malformed', async () => {
    let told = '';
    const backend = (socket: Socket): void =>
      void socket.on('data', bytes => {
        told += bytes;
        socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      });
    await withTcp(backend, url =>
      withEngine(wireEngine, [url], async engine => {
        const client = connectTo(engine.url);
        const post = (chunk: string) => `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`;
        client.write(post('1\r\na\r\n0\r\n\r\n'));
        expect(String((await once(client, 'data'))[0])).to.match(/^HTTP\/1\.1 204 /);
        const whole = told;
        client.write(post('z\r\n'));
        expect(String((await once(client, 'data'))[0])).to.match(/^HTTP\/1\.1 400 /);
        expect(told)
          .to.equal(whole)
          .and.match(/\r\n\r\n1\r\na\r\n0\r\n\r\n$/);
        client.destroy();
      }),
    );
  });

  it('reaches a client whose connection is cut in the same turn', async () => {
    const { cert, key } = await makeDevCertificate();
    const begun = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
    const server = createTlsServer({ cert, key }, socket =>
      socket.on('error', () => {}).once('data', () => socket.end(begun)),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const backendTls = { ca: undefined, servername: undefined, rejectUnauthorized: false };
    const url = new URL(urlOf(server).href.replace('http:', 'https:'));
    const use = async (engine: RunningEngine): Promise<void> => {
      expect(await raw(engine.url, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).to.match(/^HTTP\/1\.1 200 .*half$/s);
      expect(await engine.settled(1)).to.deep.equal([{ kind: 'cut', reason: 'connection_terminated' }]);
    };
    await withEngine(wireEngine, [url], use, { backendTls }).finally(() => server.close());
  });

  it('is sent before both sides of a connection close', () =>
    heldAndWritten(async (writes, near, far) => {
      say(writes, near, 'last');
      writes.close(near);
      expect(near.destroyed).to.equal(false);
      await endOfTurn();
      await endOfTurn();
      expect(near.destroyed).to.equal(true);
      let arrived = '';
      for await (const bytes of far) arrived += bytes;
      expect(arrived).to.equal('last');
    }));

  it('is sent to a slow reader before its connection closes', () =>
    heldAndWritten(async (writes, near, far) => {
      const text = '.'.repeat(16 * 1024 * 1024);
      say(writes, near, text);
      writes.close(near);
      let arrived = 0;
      for await (const bytes of far) arrived += bytes.length;
      expect(arrived).to.equal(text.length);
    }));
});

describe('wire: the end of a connection', () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const backend = (socket: Socket): void => void socket.on('data', () => socket.write(answer));

  /** Sends the request, keeps the client's side open, and calls `use` after the answer and the end. */
  const afterTheEnd = (request: string, use: (engine: RunningEngine) => void) =>
    withTcp(backend, url =>
      withEngine(wireEngine, [url], async engine => {
        const client = connectTo(engine.url);
        client.write(request);
        let arrived = '';
        for await (const bytes of client.iterator({ destroyOnReturn: false })) arrived += bytes;
        expect(arrived).to.match(/^HTTP\/1\.1 200 .*connection: close\r\n\r\nok$/s);
        use(engine);
        client.destroy();
      }),
    );

  it('closes both sides after the answer to a request without a body that says Connection: close', () =>
    afterTheEnd('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', engine => {
      expect(engine.connections()).to.equal(0);
    }));

  for (const [what, request] of [
    ['a body', 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi'],
    ['more bytes after it', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nmore'],
    ['an earlier version', 'GET / HTTP/1.0\r\nHost: x\r\n\r\n'],
  ] as const)
    it(`goes on reading after the answer to a request with ${what}, so that a reset cannot destroy it`, () =>
      afterTheEnd(request, engine => {
        expect(engine.connections()).to.equal(1);
      }));
});
