import type { RequestListener } from 'node:http';
import { expect } from 'chai';
import { cookieOf } from './ask.js';
import { startToy, type Toy } from './toy-backend.js';
import { type TestProxy, withPool } from './with-proxy.js';

let sessions = 0;

/** An app that gives each new browser a session in a cookie of its own, and says which server answered. */
const app =
  (name: string): RequestListener =>
  (request, response) => {
    if (!/(?:^|; )connect\.sid=/.test(request.headers.cookie ?? '')) {
      sessions += 1;
      response.setHeader('set-cookie', `connect.sid=s%3A${sessions}.signature; Path=/; HttpOnly`);
    }
    response.end(name);
  };

const three = ['backend-1', 'backend-2', 'backend-3'].map(app);

async function logIn(proxy: TestProxy, count: number): Promise<string[]> {
  const cookies: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const [line = ''] = (await proxy.ask('/login', { method: 'POST' })).headers['set-cookie'] ?? [];
    cookies.push(line.split(';')[0] ?? '');
  }
  return cookies;
}

/** Returns which backend answers each of these browsers. */
async function findServers(proxy: TestProxy, cookies: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(cookies.map(cookie => proxy.as(`theme=dark; ${cookie}`)));
  expect(answers.filter(({ status }) => status !== 200)).to.deep.equal([]);
  expect(answers.filter(({ headers }) => headers['set-cookie'] !== undefined)).to.deep.equal([]);
  return answers.map(({ text }) => text);
}

/** Counts how many of `count` requests without a cookie each backend answers. */
async function spread(proxy: TestProxy, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { text } = await proxy.ask('/');
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

describe('proxy: the session cookie of the app as hash key', () => {
  const options = { policy: 'rendezvous', hashKey: 'cookie:connect.sid', affinity: undefined } as const;

  it('keeps each session on one backend, moves only the sessions of a dead backend, and returns them when it is back', () =>
    withPool(three, options, async (proxy, ...toys) => {
      const cookies = await logIn(proxy, 30);
      expect(toys.map(({ seen }) => seen.length)).to.deep.equal([10, 10, 10]);
      const before = await findServers(proxy, cookies);
      expect(new Set(before)).to.have.property('size', 3);
      expect(await findServers(proxy, cookies)).to.deep.equal(before);

      await toys[1]?.stop();
      const without = await findServers(proxy, cookies);
      for (const [at, place] of before.entries()) {
        if (place === 'backend-2') expect(without[at]).to.be.oneOf(['backend-1', 'backend-3']);
        else expect(without[at]).to.equal(place);
      }
      await proxy.goes('backend-2', 'down');
      expect(await findServers(proxy, cookies)).to.deep.equal(without);

      proxy.forget();
      const again = await startToy('backend-2', three[1], Number(toys[1]?.url.port));
      try {
        await proxy.goes('backend-2', 'ready');
        expect(await findServers(proxy, cookies)).to.deep.equal(before);
      } finally {
        await again.stop();
      }
    }));

  it('rejects an invalid hash key and names the expected forms', async () => {
    const error = await withPool(three, { ...options, hashKey: 'connect.sid' }, async () => {}).then(
      () => undefined,
      (reason: Error) => reason.message,
    );
    expect(error).to.equal(
      'hash key "connect.sid": expected address, header:<name> or cookie:<name>, for example cookie:connect.sid',
    );
  });
});

describe('proxy: weights', () => {
  it('are shown, can be changed at run time, and decide the distribution', () =>
    withPool([undefined, undefined], { affinity: undefined }, async proxy => {
      expect(await proxy.view('backend-1')).to.include({ weight: 1, share: 1 });
      const changed = await proxy.admin('PUT', '/backends/backend-1', { weight: 3 });
      expect(JSON.parse(changed.text)).to.include({ name: 'backend-1', weight: 3, share: 3, state: 'ready' });
      await spread(proxy, 4);
      expect(await spread(proxy, 20)).to.deep.equal({ 'backend-1': 15, 'backend-2': 5 });
      expect(await proxy.metric('holdfast_proxy_backend_weight{backend="backend-1"}')).to.equal(3);
      expect((await proxy.admin('PUT', '/backends/backend-9', { weight: 3 })).status).to.equal(404);
    }));

  it('weight 0 keeps the bound browsers and takes no new ones', () =>
    withPool([undefined, undefined], {}, async proxy => {
      const first = await proxy.ask('/');
      await proxy.admin('PUT', `/backends/${first.text}`, { weight: 0 });
      for (let i = 0; i < 4; i += 1) {
        expect((await proxy.as(cookieOf(first))).text).to.equal(first.text);
        expect((await proxy.ask('/')).text).to.not.equal(first.text);
      }
      expect(await proxy.view(first.text)).to.include({ state: 'ready', weight: 0, bound: 1 });
    }));

  it('can be given at the start and when a backend joins', () =>
    withPool([undefined], { affinity: undefined }, async (proxy, one) => {
      const late = await startToy('late');
      try {
        const body = { url: late.url.origin, weight: 4 };
        const added = await proxy.admin('POST', '/backends', body);
        expect(JSON.parse(added.text)).to.include({ name: 'backend-2', weight: 4 });
        await proxy.goes('backend-2', 'ready');
        await spread(proxy, 5);
        expect(await spread(proxy, 10)).to.deep.equal({ [one?.name ?? '']: 2, late: 8 });
      } finally {
        await late.stop();
      }
    }));
});

describe('proxy: slow start', () => {
  /** Longer than any test, so that tests see only the beginning of a slow start. */
  const options = { affinity: undefined, slowStartMs: 3_600_000 };

  it('gives a recovered backend a tenth of its share, and every backend its full share at the start', () =>
    withPool([undefined, undefined], options, async (proxy, one, two) => {
      expect(await spread(proxy, 10)).to.deep.equal({ 'backend-1': 5, 'backend-2': 5 });
      await fail(proxy, two);
      expect((await proxy.view('backend-1')).share).to.equal(1);
      expect((await proxy.view('backend-2')).share).to.be.within(0.1, 0.11);
      await spread(proxy, 11);
      const { 'backend-2': few = 0 } = await spread(proxy, 33);
      expect(few).to.be.within(2, 4);
      expect(one?.seen.length).to.be.greaterThan(33);
      expect(await proxy.metric('holdfast_proxy_backend_share{backend="backend-2"}')).to.be.within(0.1, 0.11);
    }));

  it('also applies to a backend that joins, but not to one whose drain was cancelled', () =>
    withPool([undefined, undefined], options, async (proxy, _, two) => {
      await proxy.admin('DELETE', '/backends/backend-2');
      await proxy.admin('POST', '/backends', { url: two?.url.origin, weight: 10 });
      await proxy.goes('backend-3', 'ready');
      expect((await proxy.view('backend-3')).share).to.be.within(1, 1.1);
      await proxy.admin('PUT', '/backends/backend-1', { state: 'drain' });
      await proxy.admin('PUT', '/backends/backend-1', { state: 'ready' });
      expect(await proxy.view('backend-1')).to.include({ state: 'ready', share: 1 });
    }));

  it('ends after its duration', () =>
    withPool([undefined, undefined], { ...options, slowStartMs: 200 }, async (proxy, _, two) => {
      await fail(proxy, two);
      while ((await proxy.view('backend-2')).share !== 1) await spread(proxy, 1);
      await spread(proxy, 2);
      expect(await spread(proxy, 10)).to.deep.equal({ 'backend-1': 5, 'backend-2': 5 });
    }));

  async function fail(proxy: TestProxy, toy: Toy | undefined): Promise<void> {
    if (toy === undefined) return;
    toy.healthy = false;
    await proxy.goes(toy.name, 'down');
    proxy.forget();
    toy.healthy = true;
    await proxy.goes(toy.name, 'ready');
  }
});
