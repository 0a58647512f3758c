import { expect } from 'chai';
import { type Answer, cookieOf } from '../ask.js';
import { startToy, type Toy } from '../toy-backend.js';
import { affinity, blindHealth, withPool } from '../with-proxy.js';

const three = [undefined, undefined, undefined];
const named = (toys: readonly Toy[], name: string): Toy | undefined => toys.find(toy => toy.name === name);

describe('proxy: a lost backend, by policy', () => {
  const lose = (
    onLost: 'temporary' | 'strict',
    use: (moved: Answer, first: Answer, cookie: string | undefined) => Promise<void>,
    blind: boolean,
  ) =>
    withPool(
      three,
      { affinity: { ...affinity, onLost }, ...(blind ? { health: blindHealth } : {}) },
      async (proxy, ...toys) => {
        const first = await proxy.ask('/');
        const toy = named(toys, first.text);
        await toy?.stop();
        if (!blind) await proxy.goes(first.text, 'down');
        proxy.forget();
        await use(await proxy.as(cookieOf(first)), first, cookieOf(first));
        const back = await startToy(first.text, undefined, Number(toy?.url.port));
        try {
          if (toy !== undefined) back.incarnation = toy.incarnation;
          if (!blind) await proxy.goes(first.text, 'ready');
          const again = await proxy.as(cookieOf(first));
          expect([again.status, again.text]).to.deep.equal([200, first.text]);
          expect(again.headers).to.not.have.property('set-cookie');
        } finally {
          await back.stop();
        }
      },
    );

  it('temporary: one and the same other backend serves a browser while its own one is away', () =>
    withPool(
      [...three, undefined, undefined],
      { affinity: { ...affinity, onLost: 'temporary' } },
      async (proxy, ...toys) => {
        const firsts: Answer[] = [];
        while (firsts.length < 8) {
          const first = await proxy.ask('/');
          if (first.text === 'backend-1') firsts.push(first);
        }
        await toys[0]?.stop();
        await proxy.goes('backend-1', 'down');
        const temporaries = new Set<string>();
        for (const first of firsts) {
          const names = new Set<string>();
          for (let i = 0; i < 6; i += 1) names.add((await proxy.as(cookieOf(first))).text);
          expect([...names]).to.have.length(1);
          for (const name of names) temporaries.add(name);
        }
        // Not all browsers share one.
        expect(temporaries.size).to.be.greaterThan(1);
      },
    ));

  for (const blind of [true, false]) {
    const when = blind ? 'found while asking' : 'known to be down';
    it(`temporary: serves elsewhere without a new cookie, and returns when the backend is back (${when})`, () =>
      lose(
        'temporary',
        async (moved, first) => {
          expect(moved.status).to.equal(200);
          expect(moved.text).to.not.equal(first.text);
          expect(moved.headers).to.not.have.property('set-cookie');
        },
        blind,
      ));

    it(`strict: returns 503 until the backend is back (${when})`, () =>
      lose(
        'strict',
        async moved => {
          expect(moved.status).to.equal(503);
          expect(moved.headers['retry-after']).to.equal('1');
          expect(moved.headers).to.not.have.property('set-cookie');
        },
        blind,
      ));
  }
});
