import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { type NewSessionRecord, newSessionId } from '#src/sessions/session.js';
import type { SessionStore, StoreTransition } from '#src/sessions/session-store.js';
import { memcached } from '#src/sessions/stores/memcached.js';
import { expectRejection } from '../../expect-rejection.js';
import { type MemcachedServer, startMemcached, tell } from '../../with-memcached.js';
import { withRelay } from '../../with-relay.js';

interface Told {
  readonly store: SessionStore;
  readonly transitions: readonly string[];
}

function record(changes: Partial<NewSessionRecord> = {}): NewSessionRecord {
  const createdAtMs = Date.now();
  const deadlines = { idleUntilMs: createdAtMs + 60_000, absoluteUntilMs: createdAtMs + 90_000 };
  return { user: 'anna', data: { n: 1 }, version: 1, createdAtMs, ...deadlines, ...changes };
}

const big = () => record({ data: { blob: 'x'.repeat(20_000) } });

/** Opens a store that records its transitions. */
async function withStore(url: string, deadlineMs: number, work: (told: Told) => Promise<void>): Promise<void> {
  const transitions: string[] = [];
  const onTransition = ({ up, why }: StoreTransition) => void transitions.push(`${up ? 'up' : 'down'}: ${why}`);
  const store = memcached.open({ url, deadlineMs, now: Date.now, onTransition });
  try {
    await work({ store, transitions });
  } finally {
    await store.close();
  }
}

async function withServer(options: readonly string[], work: (server: MemcachedServer) => Promise<void>): Promise<void> {
  const server = await startMemcached(...options);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

describe('memcached store on a full server', () => {
  it('loses evicted sessions, counts them, and keeps recently used ones', () =>
    withServer(['-m', '2'], server =>
      withStore(server.url, 2_000, async ({ store }) => {
        expect(await store.ready(5_000)).to.equal(true);
        expect(await store.statistics?.()).to.deep.equal({ evictions: 0 });
        const ids: string[] = [];
        let evictions = 0;
        while (evictions < 20) {
          const id = newSessionId('anna');
          await store.create(id, big());
          ids.push(id);
          // The epochs must outlive all items that are evicted around it. Otherwise every user would be logged out.
          if (ids.length % 50 === 0)
            evictions = Number(/evictions (\d+)/.exec(await tell(server, 'stats\r\n', 'END\r\n'))?.[1]);
        }
        const [first = '', last = ''] = [ids[0], ids.at(-1)];
        expect(await store.read(last)).not.to.equal(undefined);
        const found = await Promise.all(ids.map(id => store.read(id)));
        const lost = ids.filter((_, at) => found[at] === undefined);
        expect(lost.length).to.be.within(1, ids.length - 1);
        expect(await store.touch(lost[0] ?? first, Date.now() + 60_000)).to.equal(false);
        expect(
          await store.replace(lost[0] ?? first, { ...record({ version: 2 }), epochs: { user: 1, everyone: 1 } }),
        ).to.equal('gone');
        while ((await store.statistics?.())?.evictions === 0) await delay(50);
        expect((await store.statistics?.())?.evictions).to.be.at.least(20);
      }),
    ));

  it('reports refused writes once, still reads and removes, and reports the recovery', () =>
    withServer(['-m', '2', '-M'], server =>
      withStore(server.url, 2_000, async ({ store, transitions }) => {
        expect(await store.ready(5_000)).to.equal(true);
        const ids: string[] = [];
        const fill = async () => {
          for (;;) {
            const id = newSessionId('anna');
            await store.create(id, big());
            ids.push(id);
          }
        };
        await expectRejection(fill(), StoreUnavailable);
        await expectRejection(fill(), StoreUnavailable);
        expect(transitions).to.have.length(1);
        expect(transitions[0]).to.match(/^down: it refuses writes: SERVER_ERROR out of memory/);
        expect((await store.read(ids[0] ?? ''))?.version).to.equal(1);
        for (const id of ids) expect(await store.remove(id), 'a logout needs no memory').to.equal('removed');
        while (transitions.length === 1) await store.create(newSessionId('anna'), big()).then(() => delay(50));
        expect(transitions.slice(1)).to.deep.equal(['up: it takes writes again']);
      }),
    ));

  it('reports a server with too many connections, and connects when there is room', () =>
    withServer(['-c', '16'], async server => {
      const port = Number(new URL(server.url).port);
      const others: Socket[] = [];
      try {
        for (let open = true; open && others.length < 40; ) {
          const socket = connect(port, '127.0.0.1').on('error', () => undefined);
          others.push(socket);
          socket.write('version\r\n');
          const answer = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
          open = String(answer[0]).startsWith('VERSION ');
        }
        await withStore(server.url, 1_000, async ({ store, transitions }) => {
          expect(await store.ready(150)).to.equal(false);
          await expectRejection(store.read(newSessionId('anna')), StoreUnavailable);
          expect(transitions).to.have.length(1);
          expect(transitions[0]).to.match(/^down: .*(Too many open connections|closed|ECONNRESET)/);
          for (const socket of others) socket.destroy();
          expect(await store.ready(5_000)).to.equal(true);
          expect(transitions.slice(1)).to.deep.equal(['up: connected again']);
        });
      } finally {
        for (const socket of others) socket.destroy();
      }
    }));
});

describe('memcached store on a failing connection', () => {
  let server: MemcachedServer;

  before(async () => {
    server = await startMemcached();
  });
  after(() => server.stop());

  it('never resends a write whose reply was lost: it rejects at once and was carried out once', () =>
    withStore(server.url, 2_000, async ({ store: near }) => {
      await near.ready(5_000);
      const [id, made] = [newSessionId('anna'), record()];
      await near.create(id, made);
      await withRelay(Number(new URL(server.url).port), relay =>
        withStore(`memcached://127.0.0.1:${relay.port}`, 2_000, async ({ store: far }) => {
          expect(await far.ready(5_000)).to.equal(true);
          const before = Number(/delete_hits (\d+)/.exec(await tell(server, 'stats\r\n', 'END\r\n'))?.[1]);
          relay.loseAnswers();
          const lost = expectRejection(far.remove(id), StoreUnavailable);
          while ((await near.read(id)) !== undefined) await delay(5);
          const cutAt = performance.now();
          relay.cut();
          await lost;
          expect(performance.now() - cutAt).to.be.lessThan(500);
          expect(await far.ready(5_000)).to.equal(true);
          expect(await far.read(id)).to.equal(undefined);
          const after = Number(/delete_hits (\d+)/.exec(await tell(server, 'stats\r\n', 'END\r\n'))?.[1]);
          expect(after - before, 'writes').to.equal(1);
        }),
      );
    }));

  it('sends a hung server one command: later calls reject at once', () =>
    withStore(server.url, 300, async ({ store, transitions }) => {
      expect(await store.ready(5_000)).to.equal(true);
      server.freeze();
      try {
        await expectRejection(store.read(newSessionId('anna')), StoreUnavailable);
        for (const _ of [1, 2, 3]) {
          const startedAt = performance.now();
          await expectRejection(store.touch(newSessionId('anna'), Date.now()), StoreUnavailable);
          expect(performance.now() - startedAt).to.be.lessThan(150);
        }
        expect(transitions).to.deep.equal(['down: no answer within 300 ms']);
      } finally {
        server.thaw();
      }
    }));

  it('accepts a reply that arrived while this process was busy', () =>
    withStore(server.url, 300, async ({ store, transitions }) => {
      expect(await store.ready(5_000)).to.equal(true);
      const found = store.read(newSessionId('anna'));
      // Long enough for the command to leave, and no longer.
      await new Promise(resolve => setImmediate(resolve));
      const busyUntilMs = performance.now() + 400;
      while (performance.now() < busyUntilMs);
      expect(await found).to.equal(undefined);
      expect(transitions).to.deep.equal([]);
    }));

  it('rejects when each reply is in time and the sequence is late', async () => {
    await withSlowRelay(Number(new URL(server.url).port), 500, port =>
      withStore(`memcached://127.0.0.1:${port}`, 800, async ({ store, transitions }) => {
        expect(await store.ready(5_000)).to.equal(true);
        const startedAt = performance.now();
        await expectRejection(store.create(newSessionId('anna'), record()), StoreUnavailable);
        expect(performance.now() - startedAt).to.be.within(780, 1_300);
        expect(await store.read(newSessionId('anna'))).to.equal(undefined);
        expect(transitions).to.deep.equal([]);
      }),
    );
  });

  for (const [what, answer] of [
    ['belongs to another command', 'STORED\r\n'],
    ['has an item that was not requested', 'VALUE holdfast:session:other 0 2\r\n{}\r\nEND\r\n'],
    ['is an error of the protocol', 'ERROR\r\n'],
    ['is none', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['is followed by an extra one', 'END\r\nSTORED\r\nEND\r\n'],
  ] as const) {
    it(`closes a connection on which a reply ${what}, and rejects every command in flight`, () =>
      withLiar(answer, port =>
        withStore(`memcached://127.0.0.1:${port}`, 2_000, async ({ store, transitions }) => {
          expect(await store.ready(5_000)).to.equal(true);
          const outcomes = await Promise.allSettled([
            store.read(newSessionId('anna')),
            store.read(newSessionId('anna')),
          ]);
          expect(outcomes[1]?.status).to.equal('rejected');
          for (const outcome of outcomes) {
            if (outcome.status === 'rejected') expect(outcome.reason).to.be.instanceOf(StoreUnavailable);
            else expect(outcome.value).to.equal(undefined);
          }
          expect(await store.ready(5_000)).to.equal(true);
          expect(transitions).to.have.length(2);
        }),
      ));
  }
});

/** A server that answers `version`, and gives one wrong reply per connection to anything else. */
async function withLiar(answer: string, work: (port: number) => Promise<void>): Promise<void> {
  let hasLied = false;
  await withTcpServer(client => {
    client.on('data', question => {
      if (String(question) === 'version\r\n') return void client.write('VERSION 1.6.18\r\n');
      client.write(hasLied ? 'END\r\n' : answer);
      hasLied = true;
    });
  }, work);
}

/** A relay that delays every reply of a server. */
async function withSlowRelay(toPort: number, delayMs: number, work: (port: number) => Promise<void>): Promise<void> {
  await withTcpServer(client => {
    const upstream = connect(toPort, '127.0.0.1').on('error', () => undefined);
    client.pipe(upstream);
    client.on('close', () => upstream.destroy());
    upstream.on('data', answer => void setTimeout(() => client.write(answer), delayMs));
  }, work);
}

async function withTcpServer(serve: (client: Socket) => void, work: (port: number) => Promise<void>): Promise<void> {
  const clients = new Set<Socket>();
  const server = createServer(client => {
    clients.add(client.on('error', () => undefined));
    serve(client);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  try {
    await work(typeof address === 'object' && address !== null ? address.port : 0);
  } finally {
    for (const client of clients) client.destroy();
    server.close();
    await once(server, 'close');
  }
}
