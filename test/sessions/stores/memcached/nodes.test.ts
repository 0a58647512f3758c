import { expect } from 'chai';
import { noEpochs } from '#src/sessions/end-sessions.js';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { digestOf, newSessionId, type SessionRecord } from '#src/sessions/session.js';
import type { SessionStore, StoreTransition } from '#src/sessions/session-store.js';
import { Nodes } from '#src/sessions/stores/memcached/nodes.js';
import { memcached } from '#src/sessions/stores/memcached.js';
import { sessionStoreContract } from '../../session-store.contract.js';
import { type MemcachedServer, startMemcached } from '../../with-memcached.js';

const digests = Array.from({ length: 4_000 }, (_, at) => digestOf(`id-${at}`));

describe('memcached: node of a key', () => {
  /** Nodes without servers. No command is sent to them. */
  const placesOf = (count: number) => {
    const address = { host: '127.0.0.1', port: 1 };
    const settings = { url: undefined, deadlineMs: 100, now: Date.now };
    const nodes = new Nodes([address, ...Array.from({ length: count - 1 }, () => address)], settings);
    nodes.close();
    return digests.map(digest => nodes.all.indexOf(nodes.of(digest)));
  };

  for (const count of [1, 2, 3, 5])
    it(`each of ${count} nodes has its share`, () => {
      const places = placesOf(count);
      for (let place = 0; place < count; place++) {
        const share = places.filter(each => each === place).length / places.length;
        expect(share, `of ${place}`).to.be.within(0.9 / count, 1.1 / count);
      }
    });

  it('an added node takes its share, and no other key moves', () => {
    const [before, after] = [placesOf(3), placesOf(4)];
    const moved = digests.filter((_, at) => before[at] !== after[at]);
    expect(moved.length / digests.length).to.be.within(0.2, 0.3);
    expect(after.filter((place, at) => place !== before[at]).every(place => place === 3)).to.equal(true);
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
      const ids = Array.from({ length: 40 }, () => newSessionId('anna'));
      for (const id of ids) await store.create(id, record());
      expect((await store.listByUser('anna')).length).to.equal(40);
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

function record(): SessionRecord {
  const nowMs = Date.now();
  const deadlines = { idleUntilMs: nowMs + 60_000, absoluteUntilMs: nowMs + 90_000 };
  return { user: 'anna', data: {}, version: 1, createdAtMs: nowMs, ...deadlines, epochs: noEpochs };
}

async function outcome(store: SessionStore, id: string): Promise<string> {
  return store.read(id).then(
    found => (found === undefined ? 'gone' : 'there'),
    error => (error instanceof StoreUnavailable ? 'refused' : String(error)),
  );
}
