import { expect } from 'chai';
import fc from 'fast-check';
import type { Backend } from '#src/proxy/backends.js';
import type { Exchange } from '#src/proxy/exchange.js';
import type { RoutingPolicy, RoutingPolicyFactory } from '#src/proxy/routing-policies.js';

/** Tests what every routing policy promises. */
export function itIsARoutingPolicy(make: RoutingPolicyFactory): void {
  const made = (chance: () => number): RoutingPolicy => make(chance, exchange => exchange.clientAddress);

  it('always returns one of the candidates', () => {
    const choices = fc.array(fc.subarray(poolOf(6), { minLength: 1 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(choices, fc.integer(), (sets, seed) => {
        const policy = made(chanceFrom(seed));
        for (const candidates of sets) expect(candidates).to.include(policy(candidates, anExchange()));
      }),
    );
  });

  it('works with a single candidate', () => {
    const [only] = poolOf(1);
    const policy = made(chanceFrom(1));
    for (let i = 0; i < 10; i += 1) expect(policy(only === undefined ? [] : [only], anExchange())).to.equal(only);
  });

  it('throws when there is no candidate', () => {
    expect(() => made(chanceFrom(1))([], anExchange())).to.throw(RangeError, 'no candidate');
  });

  it('spreads 10,000 choices evenly over a constant pool', () => {
    const pool = poolOf(5);
    expectEven(
      tally(made(chanceFrom(7)), 10_000, () => pool),
      pool,
      10_000,
    );
  });

  it('spreads 10,000 choices evenly over a pool that changes each time', () => {
    const pool = poolOf(5);
    const chance = chanceFrom(11);
    const someOf = (): readonly Backend[] => {
      const some = pool.filter(() => chance() < 0.7);
      return some.length > 0 ? some : someOf();
    };
    expectEven(tally(made(chanceFrom(13)), 10_000, someOf), pool, 10_000);
  });

  for (const shares of [
    [5, 3, 1, 1],
    [1, 1, 0.1],
    [1000, 400, 100],
  ]) {
    it(`spreads 10,000 choices in proportion to the shares ${shares}, with backends away for a while`, () => {
      const pool = poolOf(shares.length, [], shares);
      const policy = made(chanceFrom(23));
      for (const present of [pool, pool.slice(1), pool, pool.slice(0, 2), pool]) {
        const counts = tally(policy, 10_000, () => present);
        expectProportional(counts, present, 10_000);
      }
    });
  }

  it('follows a share that changes', () => {
    const policy = made(chanceFrom(29));
    const pool = poolOf(3).map(backend => ({ ...backend, share: 1 }));
    for (const share of [0.1, 1, 7, 0.5]) {
      for (const first of pool.slice(0, 1)) first.share = share;
      expectProportional(
        tally(policy, 10_000, () => pool),
        pool,
        10_000,
      );
    }
  });

  it('does not depend on the order of the candidates', () => {
    const pool = poolOf(4);
    let turn = 0;
    const reversing = () => (turn++ % 2 === 0 ? pool : pool.toReversed());
    expectEven(tally(made(chanceFrom(17)), 10_000, reversing), pool, 10_000);
  });

  it('spreads the load of a lost backend, and neither starves nor floods a backend when it returns', () => {
    const pool = poolOf(3);
    const rest = pool.slice(0, 2);
    const policy = made(chanceFrom(19));
    tally(policy, 3000, () => pool);
    const away = tally(policy, 3000, () => rest);
    expectEven(away, rest, 3000);
    expect(away.get('backend-3')).to.equal(undefined);
    const firstBack = tally(policy, 60, () => pool);
    for (const { name } of pool) expect(firstBack.get(name), name).to.be.within(8, 34);
    expectEven(
      tally(policy, 6000, () => pool),
      pool,
      6000,
    );
  });
}

export function poolOf(size: number, loads: readonly number[] = [], shares: readonly number[] = []): Backend[] {
  return Array.from({ length: size }, (_, index) => ({
    name: `backend-${index + 1}`,
    identity: `http://127.0.0.1:${3001 + index}`,
    url: new URL(`http://127.0.0.1:${3001 + index}`),
    state: 'ready' as const,
    share: shares[index] ?? 1,
    incarnation: '1',
    inFlight: new Set(Array.from({ length: loads[index] ?? 0 }, () => anExchange())),
  }));
}

let clients = 0;

/** Makes an exchange with an address of its own. Policies need nothing else from it. */
export function anExchange(changes: Partial<Exchange> = {}): Exchange {
  clients += 1;
  return {
    method: 'GET',
    path: '/',
    host: undefined,
    bytesIn: 0,
    bytesOut: 0,
    clientAddress: `10.${clients >> 16}.${(clients >> 8) & 255}.${clients & 255}`,
    secure: false,
    upgrade: false,
    replayable: true,
    cookie: () => undefined,
    header: () => undefined,
    send: () => Promise.resolve({ kind: 'abandoned' }),
    endTunnel() {},
    breakOff() {},
    refuse() {},
    ...changes,
  };
}

/** Returns a seeded generator of numbers in [0, 1) (mulberry32). */
export function chanceFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function tally(policy: RoutingPolicy, times: number, next: () => readonly Backend[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < times; i += 1) {
    const { name } = policy(next(), anExchange());
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

export function expectEven(counts: ReadonlyMap<string, number>, pool: readonly Backend[], times: number): void {
  expectProportional(
    counts,
    pool.map(backend => ({ ...backend, share: 1 })),
    times,
  );
}

/** Allows four and a half standard deviations of pure chance. */
export function expectProportional(
  counts: ReadonlyMap<string, number>,
  pool: readonly Pick<Backend, 'name' | 'share'>[],
  times: number,
): void {
  const whole = pool.reduce((sum, { share }) => sum + share, 0);
  for (const { name, share } of pool) {
    const part = share / whole;
    const deviation = Math.sqrt(times * part * (1 - part));
    expect(counts.get(name) ?? 0, name).to.be.closeTo(times * part, 4.5 * deviation);
  }
}
