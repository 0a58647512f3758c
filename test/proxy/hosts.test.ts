/** Tests several pools in one proxy: each host has its own backends, binding, health checks and certificate. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { HostOptions, ProxyOptions } from '#src/proxy/options.js';
import { ask } from './ask.js';
import { authority, issue } from './certificates.js';
import { type Toy, withToys } from './toy-backend.js';
import { affinity, quickHealth, type TestProxy, withProxy } from './with-proxy.js';

function pool(host: string, toys: readonly Toy[], more: Partial<HostOptions> = {}): HostOptions {
  return {
    host,
    backends: toys.map(({ name, url }) => ({ name: `${host}:${name}`, url })),
    policy: 'round-robin',
    hashKey: 'address',
    slowStartMs: 0,
    affinity: { ...affinity, pool: host.replaceAll(/\W/g, '_') },
    health: quickHealth,
    drainMs: 1000,
    maxconn: 0,
    queue: { lengthMax: 10, timeoutMs: 1000 },
    ejection: { after: 5, forMs: 1000, forMsMax: 1000 },
    ...more,
  };
}

/** One backend for each of `shop.example`, `*.example` and all others. */
function withThree(
  options: Partial<ProxyOptions>,
  use: (proxy: TestProxy, shop: Toy, any: Toy, other: Toy) => Promise<void>,
): Promise<void> {
  return withToys([undefined, undefined, undefined], (shop, any, other) => {
    if (shop === undefined || any === undefined || other === undefined) throw new Error('three toys');
    const hosts = [pool('shop.example', [shop]), pool('*.example', [any])];
    return withProxy([other], { hosts, ...options }, proxy => use(proxy, shop, any, other));
  });
}

const get = async (proxy: TestProxy, host: string, headers: Record<string, string> = {}) =>
  proxy.ask('/', { headers: { ...headers, host } });

describe('proxy: several pools by host', () => {
  for (const engine of Object.keys(engines)) {
    it(`sends each request to the pool of its host (${engine})`, () =>
      withThree({ engine }, async proxy => {
        for (const [host, backend] of [
          ['shop.example', 'backend-1'],
          ['SHOP.example:8080', 'backend-1'],
          ['blog.example', 'backend-2'],
          ['a.b.example', 'backend-2'],
          ['example', 'backend-3'],
          ['elsewhere.test', 'backend-3'],
          ['127.0.0.1', 'backend-3'],
        ] as const) {
          expect((await get(proxy, host)).text, host).to.equal(backend);
        }
        // The target in absolute form names the host (RFC 9112 §3.2.2).
        const answer = await proxy.ask('http://shop.example/', { headers: { host: 'elsewhere.test' } });
        expect(answer.text).to.equal('backend-1');
      }));

    it(`answers 421 for a host without a pool when there is no default pool (${engine})`, () =>
      withToys([undefined], toy =>
        withProxy([], { engine, hosts: [pool('shop.example', toy === undefined ? [] : [toy])] }, async proxy => {
          expect((await get(proxy, 'shop.example')).text).to.equal('backend-1');
          const refused = await get(proxy, 'elsewhere.test');
          expect(refused.status).to.equal(421);
          expect(refused.headers['proxy-status']).to.equal('holdfast; error=destination_not_found; outcome=not-sent');
          expect(await proxy.metric('holdfast_proxy_own_answers_total{status="421",outcome="not-sent"}')).to.equal(1);
        }),
      ));
  }

  it('gives each pool a cookie that no other pool accepts', () =>
    withThree({}, async (proxy, shop) => {
      const [line = ''] = (await get(proxy, 'shop.example')).headers['set-cookie'] ?? [];
      const [cookie = ''] = line.split(';');
      expect(cookie).to.match(/^holdfast-shop_example=/);
      expect((await get(proxy, 'shop.example', { cookie })).headers).to.not.have.property('set-cookie');
      const moved = cookie.replace('holdfast-shop_example=', 'holdfast-__example=');
      await get(proxy, 'blog.example', { cookie: moved });
      expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="forged"}')).to.equal(1);
      expect(shop.seen).to.have.lengthOf(2);
    }));

  it('never sends a request to the backends of another pool, even if all of its own are down', () =>
    withThree({}, async (proxy, shop) => {
      shop.healthy = false;
      await proxy.goes('shop.example:backend-1', 'down');
      expect((await get(proxy, 'shop.example')).status).to.equal(503);
      expect((await get(proxy, 'blog.example')).text).to.equal('backend-2');
    }));

  it('names the pool in the admin API and in the metrics', () =>
    withThree({}, async (proxy, _shop, _any, other) => {
      await get(proxy, 'shop.example');
      const { backends } = JSON.parse((await proxy.admin('GET', '/backends')).text);
      expect(backends.map(({ name, host }: Record<string, unknown>) => [name, host])).to.deep.equal([
        ['backend-3', undefined],
        ['shop.example:backend-1', 'shop.example'],
        ['*.example:backend-2', '*.example'],
      ]);
      const answered = 'holdfast_proxy_attempts_total{backend="shop.example:backend-1",outcome="answered"}';
      expect(await proxy.metric(answered)).to.equal(1);
      const url = other.url.origin;
      const added = await proxy.admin('POST', '/backends', { url, host: 'shop.example' });
      expect(JSON.parse(added.text)).to.include({ name: 'shop.example:backend-2', host: 'shop.example' });
      await proxy.goes('shop.example:backend-2', 'ready');
      const drained = await proxy.admin('PUT', '/backends/shop.example:backend-1', { state: 'drain' });
      expect(JSON.parse(drained.text)).to.include({ state: 'draining' });
      expect((await get(proxy, 'shop.example')).text).to.equal('backend-3');
      const unknown = await proxy.admin('POST', '/backends', { url, host: 'shop.exampel' });
      expect(unknown.status).to.equal(404);
      expect(unknown.text).to.include('Did you mean \\"shop.example\\"?');
    }));

  it('adds, changes and removes pools at a reload', () =>
    withThree({}, async (proxy, shop, any, other) => {
      const hosts = [pool('shop.example', [any], { policy: 'random' }), pool('new.test', [shop])];
      await proxy.reload({ hosts });
      const { changes } = Object(await proxy.event(({ kind }) => kind === 'reloaded'));
      expect(changes).to.deep.equal([
        `shop.example:backend-2 (${any.url.origin}) added`,
        `new.test:backend-1 (${shop.url.origin}) added`,
        `shop.example:backend-1 (${shop.url.origin}) removed`,
        `*.example:backend-2 (${any.url.origin}) removed`,
        'host shop.example changed',
        'host new.test added',
        'host *.example removed',
      ]);
      expect((await get(proxy, 'shop.example')).text).to.equal('backend-2');
      expect((await get(proxy, 'new.test')).text).to.equal('backend-1');
      expect((await get(proxy, 'blog.example')).text).to.equal(other.name);
    }));

  it('shows the certificate of the host that the client names, also after a reload', async () => {
    const ca = await authority('Test authority');
    const [front, shop, any, next] = await Promise.all(
      ['front.test', 'shop.example', '*.example', 'next.example'].map(name => issue(ca, { names: [name] })),
    );
    const nameFor = async (port: number, servername: string): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port, servername, ca: ca.cert, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return String(CN);
    };
    await withToys([undefined], async toy => {
      const toys = toy === undefined ? [] : [toy];
      const hosts = [pool('shop.example', toys, { tls: shop }), pool('*.example', toys, { tls: any })];
      await withProxy(toys, { tls: front, hosts }, async proxy => {
        const port = Number(new URL(proxy.url).port);
        expect(await nameFor(port, 'shop.example')).to.equal('shop.example');
        expect(await nameFor(port, 'blog.example')).to.equal('*.example');
        expect(await nameFor(port, 'elsewhere.test')).to.equal('front.test');
        expect(await nameFor(port, '')).to.equal('front.test');
        const answer = await ask(proxy.url.replace('127.0.0.1', 'localhost'), '/', { ca: ca.cert }).catch(String);
        // The certificate at the top is for another name.
        expect(answer).to.match(/front\.test/);
        await proxy.reload({ tls: front, hosts: [pool('shop.example', toys, { tls: next })] });
        expect(await nameFor(port, 'shop.example')).to.equal('next.example');
        expect(await nameFor(port, 'blog.example')).to.equal('front.test');
      });
    });
  });
});
