import { expect } from 'chai';
import fc from 'fast-check';
import { RecentlyUsed } from '#src/proxy/affinity/affinity-cookie.js';

describe('recently used', () => {
  it('stays within its limit and returns the last value set', () => {
    const key = fc.nat(40);
    const steps = fc.array(fc.oneof(fc.record({ set: key, value: fc.nat() }), fc.record({ get: key })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 2, max: 20 }), (all, entriesMax) => {
        const cache = new RecentlyUsed<number, number>(entriesMax);
        const truth = new Map<number, number>();
        for (const step of all) {
          if ('set' in step) {
            cache.set(step.set, step.value);
            truth.set(step.set, step.value);
          } else {
            expect(cache.get(step.get)).to.be.oneOf([undefined, truth.get(step.get)]);
          }
          expect(cache.size).to.be.at.most(entriesMax);
        }
      }),
    );
  });

  it('keeps used entries and forgets unused ones', () => {
    const cache = new RecentlyUsed<string, number>(10);
    cache.set('used', 1);
    cache.set('idle', 2);
    for (let i = 0; i < 100; i += 1) {
      cache.set(`other-${i}`, i);
      expect(cache.get('used')).to.equal(1);
    }
    expect(cache.get('idle')).to.equal(undefined);
  });

  it('is empty after clear', () => {
    const cache = new RecentlyUsed<string, number>(4);
    cache.set('a', 1);
    cache.clear();
    expect([cache.get('a'), cache.size]).to.deep.equal([undefined, 0]);
  });
});
