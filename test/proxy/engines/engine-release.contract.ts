import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { ask } from '../ask.js';
import { withToys } from '../toy-backend.js';
import { type RunningEngine, withEngine } from './with-engine.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Tests that finished requests leave no memory behind: a small leak per request kills a server within days. */
export function itReleasesMemory(make: EngineFactory): void {
  describe('memory', () => {
    const endings: Record<string, (engine: RunningEngine) => Promise<unknown>> = {
      'an answer': ({ url }) => ask(url, '/'),
      'an upload': ({ url }) => ask(url, '/', { method: 'POST', body: Buffer.alloc(100_000) }),
      'a client that left': async ({ url, arrived }) => {
        const socket = connectTo(url);
        socket.write('POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
        await arrived(1);
        socket.destroy();
      },
      'a tunnel that the client ends': async ({ url }) => {
        const socket = connectTo(url);
        socket.write(upgrade);
        await once(socket, 'data');
        socket.end('bye');
        expect(await text(socket)).to.equal('bye');
      },
      'a tunnel that the backend ends': async ({ url }) => {
        const socket = connectTo(url);
        socket.write(upgrade.replace('GET /', 'GET /end'));
        expect(await text(socket)).to.match(/^HTTP\/1\.1 101 /);
        socket.end();
      },
    };
    for (const [what, happens] of Object.entries(endings)) {
      it(`keeps no memory of ${what}`, () =>
        withToys(
          [(request, response) => request.url !== '/never' && request.on('end', () => response.end()).resume()],
          toy =>
            withEngine(make, [toy.url], async engine => {
              toy.server.on('upgrade', ({ url }, socket) => {
                socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
                if (url === '/end') socket.end();
                else socket.pipe(socket);
              });
              await happens(engine);
              await engine.settled(1);
              const exchanges = engine.exchanges.splice(0).map(exchange => new WeakRef(exchange));
              expect(exchanges).to.have.length(1);
              for (let look = 0; look < 50 && exchanges.some(kept => kept.deref() !== undefined); look += 1) {
                await sleep(10);
                collectGarbage();
              }
              expect(exchanges.filter(kept => kept.deref() !== undefined)).to.deep.equal([]);
            }),
        ));
    }
  });
}

function connectTo(url: string) {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), allowHalfOpen: true });
}
