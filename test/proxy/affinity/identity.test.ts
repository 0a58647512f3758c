import { expect } from 'chai';
import { nameGivenBackends } from '#src/commands/proxy/backends-option.js';
import { AffinityCookies, makeBrowserId } from '#src/proxy/affinity/affinity-cookie.js';
import { cookieOf } from '../ask.js';
import { startToy, type Toy, withToys } from '../toy-backend.js';
import { affinity, type TestProxy, withProxy } from '../with-proxy.js';

const four = [undefined, undefined, undefined, undefined];
const given = (texts: readonly string[]) => nameGivenBackends(texts, text => new URL(text));
const originsOf = (toys: readonly Toy[]): string[] => toys.map(({ url }) => url.origin);

/** Binds six browsers at one proxy. Each must find its backend at the other proxy, without a new cookie. */
async function expectAgreement(one: TestProxy, other: TestProxy): Promise<void> {
  for (let i = 0; i < 6; i += 1) {
    const first = await one.ask('/');
    const again = await other.as(cookieOf(first));
    expect([again.status, again.text]).to.deep.equal([200, first.text]);
    expect(again.headers).to.not.have.property('set-cookie');
  }
}

describe('affinity: the identity of a backend', () => {
  it('does not depend on the order: two proxies, one with one backend more, agree on every cookie', () =>
    withToys(four, (...toys) => {
      const [a = '', b = '', c = '', d = ''] = originsOf(toys);
      return withProxy([], { backends: given([a, b, c]) }, one =>
        withProxy([], { backends: given([c, d, a, b]) }, async other => {
          await expectAgreement(one, other);
          // A browser of the fourth backend is unknown at the first proxy only.
          await other.admin('DELETE', '/backends/backend-2');
          await expectAgreement(other, one);
        }),
      );
    }));

  it('is its name when it was given one: the name may move to another address', () =>
    withToys(four, (...toys) => {
      const [a = '', b = '', c = '', d = ''] = originsOf(toys);
      return withProxy([], { backends: given([`red=${a}`, `blue=${b}`]) }, one =>
        withProxy([], { backends: given([`blue=${c}`, d, `red=${a}`]) }, async other => {
          const cookies = [cookieOf(await one.ask('/')), cookieOf(await one.ask('/'))];
          const seen = [await other.as(cookies[0]), await other.as(cookies[1])].map(({ text }) => text);
          expect(seen).to.have.members(['backend-1', 'backend-3']);
        }),
      );
    }));

  it('stays when the backend is removed and added by the admin API, which counts another boot', async () => {
    const toy = await startToy('backend-1');
    toy.incarnation = undefined;
    try {
      await withProxy([toy], {}, async proxy => {
        const cookie = cookieOf(await proxy.ask('/'));
        await proxy.admin('DELETE', '/backends/backend-1');
        await proxy.admin('POST', '/backends', { url: toy.url.origin });
        await proxy.goes('backend-2', 'ready');
        await proxy.as(cookie);
        expect(toy.seen.at(-1)?.headers['holdfast-affinity']).to.equal('broken; reason=reborn');
      });
    } finally {
      await toy.stop();
    }
  });
});

describe('affinity: the identity of a browser', () => {
  const cookies = new AffinityCookies(affinity);
  const claims = { backendId: cookies.backendId('red'), incarnation: 'boot', issuedMs: 1000 };
  const valueIn = (line: string): string => line.slice(line.indexOf('=') + 1, line.indexOf(';'));

  it('is random: 10,000 bindings in one millisecond have as many', () => {
    const read = Array.from({ length: 10_000 }, () => {
      const line = cookies.issue({ ...claims, browser: makeBrowserId() }, false, 1000);
      const reading = cookies.read(valueIn(line), false, 1000);
      return reading.kind === 'bound' ? reading.browser : '';
    });
    expect(new Set(read).size).to.equal(10_000);
    expect(read.every(id => /^[\w-]{16}$/.test(id))).to.equal(true);
  });

  it('is kept when the cookie is refreshed, so that a browser counts once', () =>
    withToys([undefined], (...toys) =>
      withProxy(toys, { affinity: { ...affinity, idleMs: 1000 } }, async proxy => {
        let cookie = cookieOf(await proxy.ask('/'));
        let renewed = 0;
        while (renewed < 3) {
          const next = cookieOf(await proxy.as(cookie));
          if (next !== undefined) renewed += 1;
          cookie = next ?? cookie;
        }
        expect(await proxy.view('backend-1')).to.include({ bound: 1 });
      }),
    ));

  it('of a cookie of version 1 is its time of issue, until the cookie is renewed', () => {
    // Signed by Holdfast 0.1 with the key ring of these tests, for the named backend "red".
    const old = '1.k1.JOj4ffJ1OMSHEgWpmPfCGA.Ym9vdA.1000.1000.rHcpaguqUIxWJtLKvGaj-uPuDoeyoiN-Wfp29avm0rA';
    expect(cookies.read(old, false, 1000)).to.deep.equal({
      kind: 'bound',
      ...claims,
      seenMs: 1000,
      browser: '0000000000001000',
    });
  });
});
