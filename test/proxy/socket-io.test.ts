/** socket.io's long polling: a session of many requests that only one backend knows. */
import { expect } from 'chai';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { engines } from '#src/proxy/engines/registry.js';
import { withToys } from './toy-backend.js';
import { affinity, blindHealth, type TestProxy, withProxy } from './with-proxy.js';

const messages = 20;

interface Chat {
  readonly proxy: TestProxy;
  /** The refusals of the socket.io servers, in their own words. */
  readonly refusals: string[];
  /** Makes a client that keeps cookies, as a browser does. */
  client(transports: readonly ('polling' | 'websocket')[]): Socket;
}

/** Runs three backends with a socket.io server each, which says its name and echoes. */
async function withChat(engine: string, sticky: boolean, use: (chat: Chat) => Promise<void>): Promise<void> {
  const refusals: string[] = [];
  const clients: Socket[] = [];
  await withToys([undefined, undefined, undefined], async (...toys) => {
    const servers = toys.map(toy => {
      const server = new Server(toy.server, { pingInterval: 200 });
      server.engine.on('connection_error', ({ message }) => refusals.push(message));
      server.on('connection', socket => {
        socket.emit('name', toy.name);
        socket.on('say', (text, answer) => answer(`${toy.name} ${text}`));
      });
      return server;
    });
    const options = { engine, health: blindHealth, affinity: sticky ? affinity : undefined };
    try {
      await withProxy(toys, options, proxy => {
        const client: Chat['client'] = transports => {
          const made = io(proxy.url, {
            transports: [...transports],
            withCredentials: true,
            reconnection: false,
            forceNew: true,
          });
          clients.push(made);
          return made;
        };
        return use({ proxy, refusals, client });
      });
    } finally {
      for (const client of clients) client.disconnect();
      await Promise.all(servers.map(server => server.close()));
    }
  });
}

async function nameFor(client: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    client.once('name', resolve);
    client.once('connect_error', reject);
  });
}

async function talk(client: Socket, name: string): Promise<void> {
  for (let i = 0; i < messages; i += 1)
    expect(await client.timeout(5000).emitWithAck('say', String(i))).to.equal(`${name} ${i}`);
}

for (const engine of Object.keys(engines)) {
  describe(`proxy: socket.io through three backends, engine ${engine}`, () => {
    it('keeps each long-polling client on one backend with affinity, and uses all three', () =>
      withChat(engine, true, async ({ refusals, client }) => {
        const clients = Array.from({ length: 3 }, () => client(['polling']));
        const names = await Promise.all(clients.map(nameFor));
        await Promise.all(clients.map((each, at) => talk(each, names[at] ?? '')));
        expect(names.toSorted()).to.deep.equal(['backend-1', 'backend-2', 'backend-3']);
        expect(clients.map(each => each.io.engine.transport.name)).to.deep.equal(['polling', 'polling', 'polling']);
        expect(refusals).to.deep.equal([]);
      }));

    it('sends the upgrade to a WebSocket to the backend of the polling', () =>
      withChat(engine, true, async ({ refusals, client }) => {
        // Other clients before and beside it, so that round robin would choose another backend.
        const clients = Array.from({ length: 2 }, () => client(['polling', 'websocket']));
        await Promise.all(
          clients.map(async each => {
            const upgraded = new Promise(resolve =>
              each.io.once('open', () => each.io.engine.once('upgrade', resolve)),
            );
            const name = await nameFor(each);
            await upgraded;
            expect(each.io.engine.transport.name).to.equal('websocket');
            await talk(each, name);
          }),
        );
        expect(refusals).to.deep.equal([]);
      }));

    it('breaks long polling without affinity, with the error of socket.io', () =>
      withChat(engine, false, async ({ proxy, refusals, client }) => {
        const broken = client(['polling']);
        const failed = new Promise<string>(resolve => {
          broken.once('connect_error', error => resolve(error.message));
          broken.once('disconnect', resolve);
        });
        expect(await failed).to.match(/xhr (poll|post) error|transport error/);
        expect(refusals[0]).to.equal('Session ID unknown');
        const poll = await proxy.ask('/socket.io/?EIO=4&transport=polling&sid=unknown');
        expect(poll).to.include({ status: 400, text: '{"code":1,"message":"Session ID unknown"}' });
      }));
  });
}
