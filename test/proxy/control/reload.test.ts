import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { planReload } from '#src/proxy/control/reload.js';
import { engines } from '#src/proxy/engines/registry.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { cookieOf } from '../ask.js';
import { exchangeUnder, withSix } from '../steady-clients.js';
import { type Toy, withToys } from '../toy-backend.js';
import { affinity, quickHealth, type TestProxy, withPool, withProxy } from '../with-proxy.js';

const a = { name: 'a', url: new URL('http://a:1') };
const b = { name: 'b', url: new URL('http://b:1') };
const c = { name: 'c', url: new URL('http://c:1') };
const onEvent = () => {};
const now: ProxyOptions = { ...defaultProxyOptions, backends: [a, b], affinity, onEvent };
const otherKeys = [{ id: 'k2', secret: Buffer.alloc(32, 2) }, ...affinity.keys];

const clients = ['--request-id', '--max-connections-per-address', '--max-requests-per-address'];
const balance = ['--policy', '--hash-key', '--slow-start', '--maxconn', '--queue and --queue-timeout'];

/** What differs, the words for live changes, and the words for changes that need a restart. */
const rows: readonly [
  name: string,
  next: Partial<ProxyOptions>,
  changes: readonly string[],
  needsRestart: readonly string[],
][] = [
  ['nothing', {}, [], []],
  ['an equal list in another order', { backends: [b, { ...a, url: new URL('http://a:1/') }] }, [], []],
  ['equal options in other objects', { affinity: { ...affinity, keys: [...affinity.keys] }, trusted: [] }, [], []],
  ['one more', { backends: [a, b, c] }, ['c (http://c:1) added'], []],
  ['one less', { backends: [b] }, ['a (http://a:1) removed'], []],
  ['another', { backends: [a, c] }, ['c (http://c:1) added', 'b (http://b:1) removed'], []],
  [
    'a name at another address',
    { backends: [a, { name: 'b', url: c.url }] },
    ['b (http://c:1) added', 'b (http://b:1) removed'],
    [],
  ],
  [
    'a name that was a position before',
    { backends: [{ ...a, identity: 'a' }, b] },
    ['a (http://a:1) added', 'a (http://a:1) removed'],
    [],
  ],
  ['another weight', { backends: [{ ...a, weight: 3 }, b] }, ['a (http://a:1) weighs 3'], []],
  ['another limit', { backends: [{ ...a, maxconn: 3 }, b] }, ['a (http://a:1) takes 3 requests at once'], []],
  ['the default weight given explicitly', { backends: [{ ...a, weight: 1 }, b] }, [], []],
  [
    'all live ones',
    live(),
    [
      ...balance,
      ...clients,
      '--health-*',
      '--eject-*',
      '--drain',
      '--grace',
      '--trust',
      '--name-backends',
      '--access-log',
      '--shutdown-delay',
    ],
    [],
  ],
  ['the key ring', { affinity: { ...affinity, keys: otherKeys } }, ['the key ring'], []],
  ['no affinity', { affinity: undefined }, ['--affinity'], []],
  ['a pool', { affinity: { ...affinity, pool: 'x', onLost: 'strict' } }, ['--pool', '--on-lost-affinity'], []],
  [
    'the times of affinity',
    { affinity: { ...affinity, idleMs: 1, absoluteMs: 2 } },
    ['--affinity-idle', '--affinity-absolute'],
    [],
  ],
  ['a port', { port: 1, host: '::1', drainMs: 1 }, ['--drain'], ['--host', '--port']],
  ['an engine', { engine: 'other', admin: undefined }, [], ['--admin', '--engine']],
  ['HTTP/2', { http2: false }, [], ['--http2']],
];

function live(): Partial<ProxyOptions> {
  const health = { ...now.health, fall: 9 };
  const choice = {
    policy: 'random',
    hashKey: 'header:x',
    slowStartMs: 1,
    maxconn: 5,
    queue: { ...now.queue, lengthMax: 1 },
  };
  const clients = { requestId: 'set', connectionsPerAddressMax: 1, requestsPerAddressMax: 1 } as const;
  const ejection = { ...now.ejection, after: 0 };
  const end = { drainMs: 1, graceMs: 1, shutdownDelayMs: 1 };
  return { ...choice, ...clients, ...end, health, ejection, trusted: ['::1'], namesBackends: true, accessLog: '-' };
}

describe('plan of a reload', () => {
  for (const [name, next, changes, needsRestart] of rows) {
    it(name, () => {
      const plan = planReload(now, { ...now, ...next });
      const told = plan.changes.map(text => text.replace(/ changed$/, ''));
      expect(told).to.have.members(changes);
      expect(plan.needsRestart).to.have.members(needsRestart);
      expect(JSON.stringify(plan.changes)).not.to.match(/0202|AgIC/);
    });
  }

  it('keeps options that need a restart and takes all others', () => {
    const next = { ...now, ...live(), backends: [c], affinity: undefined, port: 1, engine: 'other', onEvent: () => {} };
    const { options } = planReload(now, next);
    expect(options).to.deep.include({ ...next, port: now.port, engine: now.engine, onEvent });
  });
});

describe('proxy: reload', () => {
  it('keeps state, incarnation and bound browsers of the backends that stay', () =>
    withPool([undefined, undefined, undefined], {}, async (proxy, one, two, three) => {
      const cookie = await boundTo(proxy, 'backend-3');
      await proxy.admin('PUT', '/backends/backend-1', { state: 'drain' });
      const before = [await proxy.view('backend-1'), await proxy.view('backend-3')];
      await proxy.reload({ backends: [three, one] });
      expect([await proxy.view('backend-1'), await proxy.view('backend-3')]).to.deep.equal(before);
      expect((await proxy.as(cookie)).text).to.equal('backend-3');
      expect((await proxy.as(cookie)).headers).not.to.have.property('set-cookie');
      expect(proxy.events.filter(({ kind }) => kind === 'reloaded')).to.deep.equal([
        { kind: 'reloaded', changes: [`backend-2 (${two.url.origin}) removed`], needsRestart: [] },
      ]);
    }));

  it('lets a removed backend finish its requests in flight and sends it no more', () => {
    const held: ServerResponse[] = [];
    const hold = (_request: unknown, response: ServerResponse) => void held.push(response);
    return withPool([hold, undefined], {}, async (proxy, one, two) => {
      const waiting = [proxy.ask('/a'), proxy.ask('/b')];
      while (held.length === 0) await setImmediate();
      await proxy.reload({ backends: [two] });
      const seen = one.seen.length;
      for (let i = 0; i < 4; i += 1) expect((await proxy.ask('/')).text).to.equal('backend-2');
      expect(one.seen).to.have.lengthOf(seen);
      for (const response of held) response.end('late');
      const answers = await Promise.all(waiting);
      expect(answers.map(({ text }) => text)).to.include('late');
    });
  });

  it('changes weights, keeps a weight from the admin API while the list is unchanged, and starts new backends slowly', () =>
    withPool([undefined, undefined, undefined], { slowStartMs: 3_600_000 }, async (proxy, one, two, three) => {
      await proxy.reload({ backends: [{ ...one, weight: 3 }, two] });
      await proxy.admin('PUT', '/backends/backend-2', { weight: 5 });
      expect(await proxy.view('backend-1')).to.include({ weight: 3, share: 3 });
      await proxy.reload({ backends: [one, two, { ...three, weight: 10 }] });
      expect(await proxy.view('backend-1')).to.include({ weight: 1, share: 1 });
      expect(await proxy.view('backend-2')).to.include({ weight: 5, share: 5 });
      const { share } = await proxy.view('backend-3');
      expect(share).to.be.within(1, 1.1);
      await proxy.reload({ backends: [one, two, { ...three, weight: 10 }], slowStartMs: 0 });
      expect(await proxy.view('backend-3')).to.include({ share: 10 });
    }));

  it('rebinds browsers of a removed backend, and reports unknown once', () =>
    withPool([undefined, undefined], {}, async (proxy, _one, two) => {
      const cookie = await boundTo(proxy, 'backend-1');
      await proxy.reload({ backends: [two] });
      const answer = await proxy.as(cookie);
      expect(answer.text).to.equal('backend-2');
      expect(two.seen.at(-1)?.headers['holdfast-affinity']).to.equal('broken; reason=unknown');
      expect((await proxy.as(cookieOf(answer))).headers).not.to.have.property('set-cookie');
    }));

  it('counts a new boot for a backend that returns under its name, if only the proxy counts', () =>
    withPool([undefined, undefined], {}, async (proxy, one, two) => {
      one.incarnation = undefined;
      await proxy.reload({ backends: [two] });
      await proxy.reload({ backends: [one, two] });
      const cookie = await boundTo(proxy, 'backend-1');
      await proxy.reload({ backends: [two] });
      await proxy.reload({ backends: [one, two] });
      const { text } = await proxy.as(cookie);
      const told = [one, two].find(({ name }) => name === text)?.seen.at(-1)?.headers;
      expect(told).to.include({ 'holdfast-affinity': 'broken; reason=reborn' });
    }));

  it('counts a new boot for a name that moves to another address, and keeps one backend of it', () =>
    withToys([undefined, undefined], (one, two) =>
      withProxy([one], { backends: [{ name: 'red', identity: 'red', url: one.url }] }, async proxy => {
        for (const toy of [one, two]) toy.incarnation = undefined;
        const cookie = cookieOf(await proxy.ask('/'));
        await proxy.reload({ backends: [{ name: 'red', identity: 'red', url: two.url }] });
        expect((await proxy.as(cookie)).text).to.equal('backend-2');
        expect(two.seen.at(-1)?.headers['holdfast-affinity']).to.equal('broken; reason=reborn');
        expect(JSON.parse((await proxy.admin('GET', '/backends')).text).backends).to.have.lengthOf(1);
      }),
    ));

  it('signs with a new key ring and accepts old keys only while they are in it', () =>
    withPool([undefined, undefined], {}, async (proxy, one) => {
      const cookie = await boundTo(proxy, 'backend-1');
      await proxy.reload({ affinity: { ...affinity, keys: otherKeys } });
      expect((await proxy.as(cookie)).text).to.equal('backend-1');
      expect((await proxy.ask('/')).headers['set-cookie']?.[0]).to.match(/^holdfast=2\.k2\./);
      await proxy.reload({ affinity: { ...affinity, keys: otherKeys.slice(0, 1) } });
      const seen = one.seen.length;
      expect((await proxy.as(cookie)).headers['set-cookie']).to.have.length(1);
      if (one.seen.length > seen) {
        expect(one.seen.at(-1)?.headers['holdfast-affinity']).to.equal('broken; reason=unknown');
      }
    }));

  it('applies new health settings to the present backends', () =>
    withPool([undefined], { health: { ...quickHealth, everyMs: 60_000, fall: 1 } }, async (proxy, one) => {
      one.healthy = false;
      await proxy.reload({ health: { ...quickHealth, fall: 1 } });
      await proxy.goes('backend-1', 'down');
    }));

  for (const [what, changed, says] of [
    ['a policy', { policy: 'nonsense' }, 'unknown routing policy "nonsense"'],
    ['a key ring', { affinity: { ...affinity, keys: [] } }, 'it holds no key'],
    ['an address', { trusted: ['nowhere'] }, '"nowhere"'],
    ['a log file', { accessLog: '/dev/null/at/all' }, '--access-log "/dev/null/at/all" cannot be written (ENOTDIR)'],
  ] as const) {
    it(`${what} that cannot be used leaves all other options unchanged`, () =>
      withPool([undefined, undefined], { policy: 'round-robin' }, async (proxy, _one, two) => {
        const cookie = await boundTo(proxy, 'backend-1');
        await proxy.reload({ backends: [two], namesBackends: true, ...changed });
        const refused = await proxy.event(({ kind }) => kind === 'reload-refused');
        expect(refused).to.have.property('reason').that.includes(says);
        const answer = await proxy.as(cookie);
        expect(answer.text).to.equal('backend-1');
        expect(answer.headers).not.to.have.any.keys('set-cookie', 'holdfast-backend');
        expect(proxy.events.map(({ kind }) => kind)).not.to.include('reloaded');
      }));
  }

  describe('of a backend that the admin API added', () => {
    const withAdded = (use: (proxy: TestProxy, one: Toy, two: Toy, three: Toy) => Promise<void>) =>
      withToys([undefined, undefined, undefined], (one, two, three) =>
        withProxy([one], {}, async proxy => {
          await proxy.admin('POST', '/backends', { url: two.url.origin });
          await proxy.goes('backend-2', 'ready');
          await use(proxy, one, two, three);
        }),
      );
    const list = async (proxy: TestProxy) => {
      const { backends } = JSON.parse((await proxy.admin('GET', '/backends')).text);
      return backends.map(({ name, url }: { name: string; url: string }) => `${name} ${url}`);
    };

    it('keeps its browsers, and takes over weight and limits, when the file names its address', () =>
      withAdded(async (proxy, one, two) => {
        const cookie = await boundTo(proxy, 'backend-2');
        await proxy.reload({ backends: [one, { name: 'other', url: two.url, weight: 3, maxconn: 7 }] });
        expect(await proxy.view('backend-2')).to.include({ url: two.url.origin, weight: 3, maxconn: 7 });
        expect((await proxy.as(cookie)).text).to.equal('backend-2');
      }));

    it('removes it when it leaves the file again', () =>
      withAdded(async (proxy, one, two) => {
        await proxy.reload({ backends: [one, { name: 'other', url: two.url }] });
        await proxy.reload({ backends: [one] });
        expect(await list(proxy)).to.deep.equal([`backend-1 ${one.url.origin}`]);
      }));

    it('exchanges it when the file gives it a name of its own, which cookies then carry', () =>
      withAdded(async (proxy, one, two) => {
        await proxy.reload({ backends: [one, { name: 'red', identity: 'red', url: two.url }] });
        expect(await list(proxy)).to.deep.equal([`backend-1 ${one.url.origin}`, `red ${two.url.origin}`]);
        await proxy.reload({ backends: [one] });
        expect(await list(proxy)).to.deep.equal([`backend-1 ${one.url.origin}`]);
      }));

    it('chooses another name for a backend of the file that has none of its own', () =>
      withAdded(async (proxy, one, two, three) => {
        await proxy.reload({ backends: [one, { name: 'backend-2', url: three.url }] });
        expect(await list(proxy)).to.deep.equal([
          `backend-1 ${one.url.origin}`,
          `backend-2 ${two.url.origin}`,
          `backend-3 ${three.url.origin}`,
        ]);
        await proxy.reload({ backends: [one] });
        expect(await list(proxy)).to.deep.equal([`backend-1 ${one.url.origin}`, `backend-2 ${two.url.origin}`]);
      }));
  });

  it('keeps a backend that the admin API added, and refuses its name for another', () =>
    withToys([undefined, undefined, undefined], (one, two, three) =>
      withProxy([one], {}, async proxy => {
        await proxy.admin('POST', '/backends', { url: two.url.origin });
        await proxy.reload({ backends: [one], policy: 'random' });
        expect(await proxy.view('backend-2')).to.include({ url: two.url.origin });
        await proxy.reload({ backends: [one, { name: 'backend-2', identity: 'backend-2', url: three.url }] });
        const refused = await proxy.event(({ kind }) => kind === 'reload-refused');
        expect(refused).to.have.property('reason').that.includes(`backend-2 is the name of ${two.url.origin}`);
        await proxy.reload({ backends: [one, { name: 'backend-2', url: two.url }] });
        expect(JSON.parse((await proxy.admin('GET', '/backends')).text).backends).to.have.lengthOf(2);
      }),
    ));

  for (const engine of Object.keys(engines)) {
    it(`drops no request while every backend is exchanged, three times (${engine})`, () =>
      withSix(toys =>
        withProxy(toys.slice(0, 2), { engine }, async proxy => {
          await exchangeUnder(proxy.url, toys, (pair, nth) =>
            proxy.reload({ backends: pair.map(({ name, url }) => ({ name: `${name}-${nth}`, url })) }),
          );
          expect(proxy.events.filter(({ kind }) => kind === 'reloaded')).to.have.lengthOf(3);
        }),
      ));
  }

  it('reopens its log file after the old one was moved away', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
    const accessLog = path.join(folder, 'access.log');
    try {
      await withPool([undefined], { accessLog }, async proxy => {
        await proxy.ask('/first');
        await rename(accessLog, `${accessLog}.1`);
        await proxy.reload({ accessLog });
        await proxy.ask('/second');
        await proxy.close(0);
      });
      expect(await readFile(`${accessLog}.1`, 'utf8')).to.match(/^\{[^\n]*"\/first"[^\n]*\}\n$/);
      expect(await readFile(accessLog, 'utf8')).to.match(/^\{[^\n]*"\/second"[^\n]*\}\n$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

async function boundTo(proxy: TestProxy, backend: string): Promise<string | undefined> {
  for (let i = 0; i < 10; i += 1) {
    const answer = await proxy.ask('/');
    if (answer.text === backend) return cookieOf(answer);
  }
  throw new Error(`no browser was bound to ${backend} in ten tries`);
}
