import { expect } from 'chai';
import fc from 'fast-check';
import type { Backend } from '#src/proxy/backends.js';
import type { RoutingPolicy } from '#src/proxy/routing-policies.js';
import { rendezvous } from '#src/proxy/routing-policies.js';
import { anExchange, chanceFrom, expectProportional, poolOf, tally } from './routing-policy.contract.js';

const never: RoutingPolicy = () => expect.fail('it has a key');
const byHeader = (withoutKey = never) => rendezvous(exchange => exchange.header('key'), withoutKey);
const withKey = (key: string | undefined) => anExchange({ header: () => key });

const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 8 });
const keys = fc.array(fc.oneof(fc.string(), fc.uuid(), fc.ipV4()), { minLength: 1, maxLength: 40 });

/** Returns the backend of each key. */
function placesOf(pool: readonly Backend[], given: readonly string[], policy = byHeader()): string[] {
  return given.map(key => policy(pool, withKey(key)).name);
}

describe('rendezvous: any pool, any weights, any keys', () => {
  it('remaps only the keys of a removed backend, and moves keys only to an added one', () => {
    fc.assert(
      fc.property(weights, keys, fc.nat(), (shares, given, nth) => {
        const pool = poolOf(shares.length, [], shares);
        const gone = pool[nth % pool.length]?.name;
        const before = placesOf(pool, given);
        const after = placesOf(
          pool.filter(({ name }) => name !== gone),
          given,
        );
        for (const [at, place] of before.entries()) {
          if (place === gone) expect(after[at]).to.not.equal(gone);
          else expect(after[at]).to.equal(place);
        }
      }),
    );
  });

  it('moves keys only to a backend that gains weight', () => {
    fc.assert(
      fc.property(weights, keys, fc.integer({ min: 1, max: 1000 }), (shares, given, more) => {
        const before = placesOf(poolOf(shares.length, [], shares), given);
        const heavier = placesOf(poolOf(shares.length, [], [(shares[0] ?? 1) + more, ...shares.slice(1)]), given);
        for (const [at, place] of heavier.entries()) if (place !== before[at]) expect(place).to.equal('backend-1');
      }),
    );
  });

  it('gives the same result on two proxies with other names and another order of backends', () => {
    fc.assert(
      fc.property(weights, keys, (shares, given) => {
        const pool = poolOf(shares.length, [], shares);
        const renamed = pool.toReversed().map((backend, at) => ({ ...backend, name: `backend-${at + 1}` }));
        const [one, other] = [byHeader(), byHeader()];
        for (const key of given)
          expect(one(pool, withKey(key)).url.href).to.equal(other(renamed, withKey(key)).url.href);
      }),
    );
  });
});

describe('rendezvous: shares', () => {
  const shapes: Record<string, (nth: number) => string> = {
    addresses: nth => `10.0.${nth >> 8}.${nth & 255}`,
    numbers: String,
    'cookies of Express': nth => `s%3A${chanceFrom(nth)().toString(36).slice(2)}.signature`,
    'long keys that differ at the end': nth => `${'eyJhbGciOiJIUzI1NiJ9.'.repeat(40)}${nth}`,
    'long keys that differ at the beginning': nth => `${nth}${'.eyJhbGciOiJIUzI1NiJ9'.repeat(40)}`,
  };
  const pools = [[1, 1, 1], Array.from({ length: 20 }, () => 1), [5, 3, 1, 1], [1, 1, 0.1], [1000, 999]];

  for (const [what, keyAt] of Object.entries(shapes)) {
    it(`follow the weights: ${what}`, () => {
      for (const shares of pools) {
        const pool = poolOf(shares.length, [], shares);
        const policy = byHeader();
        const counts = new Map<string, number>();
        for (let nth = 0; nth < 10_000; nth += 1) {
          const { name } = policy(pool, withKey(keyAt(nth)));
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
        expectProportional(counts, pool, 10_000);
      }
    });
  }

  it('of a removed backend go to the others in proportion, not to a neighbour', () => {
    const pool = poolOf(4, [], [3, 3, 2, 1]);
    const policy = byHeader();
    const orphans = Array.from({ length: 30_000 }, (_, nth) => `key-${nth}`).filter(
      key => policy(pool, withKey(key)).name === 'backend-1',
    );
    const places = placesOf(pool.slice(1), orphans, policy);
    const counts = new Map(pool.map(({ name }) => [name, places.filter(place => place === name).length]));
    expectProportional(counts, pool.slice(1), orphans.length);
  });

  it('without a key follow the fallback policy', () => {
    const asked: unknown[] = [];
    const policy = byHeader((candidates, exchange) => {
      asked.push(exchange);
      return candidates.at(-1) ?? expect.fail('no candidate');
    });
    const pool = poolOf(3);
    const exchange = withKey(undefined);
    expect(policy(pool, exchange)).to.equal(pool[2]);
    expect(asked).to.deep.equal([exchange]);
    expect(tally(policy, 10, () => pool).get('backend-3')).to.equal(10);
  });
});
