import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { type NewSessionRecord, newSessionId, userTagOf } from '#src/sessions/session.js';
import type { SessionStore, StoreTransition } from '#src/sessions/session-store.js';
import { Nodes } from '#src/sessions/stores/memcached/servers.js';
import { memcached } from '#src/sessions/stores/memcached.js';
import { sessionStoreContract } from '../../session-store.contract.js';
import { type MemcachedServer, startMemcached } from '../../with-memcached.js';

const tags = Array.from({ length: 4_000 }, (_, at) => userTagOf(`user-${at}`));

describe('memcached: node of a user', () => {
  /** Nodes without servers. No command is sent to them. */
  const placesOf = (count: number) => {
    const address = { host: '127.0.0.1', port: 1 };
    const settings = { url: undefined, deadlineMs: 100, now: Date.now };
    const nodes = new Nodes([address, ...Array.from({ length: count - 1 }, () => address)], settings);
    nodes.close();
    return tags.map(tag => {
      const { first, second } = nodes.homeOf(tag);
      return { first: nodes.all.indexOf(first), second: second && nodes.all.indexOf(second) };
    });
  };

  for (const count of [1, 2, 3, 5])
    it(`each of ${count} nodes has its share`, () => {
      const places = placesOf(count);
      for (let place = 0; place < count; place++) {
        const share = places.filter(each => each.first === place).length / places.length;
        expect(share, `of ${place}`).to.be.within(0.9 / count, 1.1 / count);
      }
    });

  it('an added node takes its share, no other user moves, and the second node of a moved user is the former', () => {
    const [before, after] = [placesOf(3), placesOf(4)];
    const moved = after.flatMap((place, at) => (place.first === before[at]?.first ? [] : [{ place, at }]));
    expect(moved.length / tags.length).to.be.within(0.2, 0.3);
    expect(moved.every(({ place }) => place.first === 3)).to.equal(true);
    expect(moved.every(({ place, at }) => place.second === before[at]?.first)).to.equal(true);
  });
});

describe('memcached: addresses', () => {
  const open = (url: string) => memcached.open({ url, deadlineMs: 100, now: Date.now });

  for (const url of ['memcached://a:1,b:2', 'memcached://[::1]:1,b', 'memcached://a,b,c/'])
    it(`accepts ${url}`, () => open(url).close());

  for (const url of [
    'memcached://a,,b',
    'memcached://a:1,',
    'memcached://,b',
    'memcached://u@a,b',
    'memcached://a:99999,b',
  ])
    it(`rejects ${url}`, () => expect(() => open(url)).to.throw('needs an address'));
});

describe('memcached: two nodes', () => {
  const start = async () => {
    const servers = await Promise.all([startMemcached(), startMemcached()]);
    const [one, other] = servers;
    const url = `${one.url},${other.url.slice('memcached://'.length)}`;
    return {
      servers,
      server: undefined,
      url,
      stop: async () => void (await Promise.all(servers.map(each => each.stop()))),
    };
  };

  describe('the contract', () => sessionStoreContract(memcached, start, { outages: false }));

  describe('one is down', () => {
    let lab: Awaited<ReturnType<typeof start>>;
    let store: SessionStore;
    const transitions: StoreTransition[] = [];

    before(async () => {
      lab = await start();
      store = memcached.open({
        url: lab.url,
        deadlineMs: 500,
        now: Date.now,
        onTransition: transition => transitions.push(transition),
      });
      expect(await store.ready(5_000)).to.equal(true);
    });
    after(async () => {
      await store.close();
      await lab.stop();
    });

    it('calls for its sessions reject, the others work, and after an empty restart it has none', async () => {
      const users = Array.from({ length: 40 }, (_, at) => `user-${at}`);
      const ids = users.map(newSessionId);
      for (const [at, id] of ids.entries()) await store.create(id, record(users[at] ?? ''));
      const [dead]: readonly MemcachedServer[] = lab.servers;
      await dead?.kill();
      const found = await Promise.all(ids.map(id => outcome(store, id)));
      expect(found.filter(each => each === 'there').length).to.be.within(8, 32);
      expect(found.filter(each => each === 'refused').length).to.equal(
        40 - found.filter(each => each === 'there').length,
      );
      expect(transitions.map(({ up, why }) => `${up} ${why}`)[0]).to.match(/^false 127\.0\.0\.1:\d+: /);
      await dead?.restart();
      expect(await store.ready(5_000)).to.equal(true);
      expect(await Promise.all(ids.map(id => outcome(store, id)))).to.deep.equal(
        found.map(each => (each === 'refused' ? 'gone' : each)),
      );
    });
  });
});

describe('memcached: nodes that come and go', () => {
  const users = Array.from({ length: 30 }, (_, at) => `user-${at}`);
  let servers: readonly MemcachedServer[];

  before(async () => {
    servers = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  });
  after(() => Promise.all(servers.map(server => server.stop())));

  async function withNodes<T>(count: number, work: (store: SessionStore) => Promise<T>): Promise<T> {
    const places = servers.slice(0, count).map(({ url }) => url.slice('memcached://'.length));
    const store = memcached.open({ url: `memcached://${places}`, deadlineMs: 1_000, now: Date.now });
    try {
      expect(await store.ready(5_000)).to.equal(true);
      return await work(store);
    } finally {
      await store.close();
    }
  }

  async function beginAll(store: SessionStore): Promise<readonly string[]> {
    const ids = users.map(newSessionId);
    await Promise.all(ids.map((id, at) => store.create(id, record(users[at] ?? ''))));
    return ids;
  }

  const living = async (store: SessionStore, ids: readonly string[]) =>
    (await Promise.all(ids.map(id => outcome(store, id)))).filter(each => each === 'there').length;

  for (const [from, to] of [
    [2, 3],
    [3, 2],
  ] as const) {
    it(`revive nothing that was ended with ${to} of them, when they are ${from} again`, async () => {
      const ids = await withNodes(from, beginAll);
      await withNodes(to, store => Promise.all(users.map(user => store.raiseEpoch(user))));
      await withNodes(from, async store => {
        expect(await living(store, ids)).to.equal(0);
        expect(await living(store, await beginAll(store))).to.equal(users.length);
      });
    });

    it(`revive nothing after the end of everyone with ${to} of them, when they are ${from} again`, async () => {
      const ids = await withNodes(from, beginAll);
      await withNodes(to, store => store.clear());
      await withNodes(from, async store => {
        expect(await living(store, ids)).to.equal(0);
        expect(await living(store, await beginAll(store))).to.equal(users.length);
      });
    });
  }
});

function record(user: string): NewSessionRecord {
  const nowMs = Date.now();
  const deadlines = { idleUntilMs: nowMs + 60_000, absoluteUntilMs: nowMs + 90_000 };
  return { user, data: {}, version: 1, createdAtMs: nowMs, ...deadlines };
}

async function outcome(store: SessionStore, id: string): Promise<string> {
  return store.read(id).then(
    found => (found === undefined ? 'gone' : 'there'),
    error => (error instanceof StoreUnavailable ? 'refused' : String(error)),
  );
}
