import { expect } from 'chai';
import fc from 'fast-check';
import { leastConnections } from '#src/proxy/routing-policies/least-connections.js';
import { random } from '#src/proxy/routing-policies/random.js';
import { routingPolicies } from '#src/proxy/routing-policies/registry.js';
import { roundRobin } from '#src/proxy/routing-policies/round-robin.js';
import { anExchange, chanceFrom, expectEven, itIsARoutingPolicy, poolOf, tally } from './routing-policy.contract.js';

describe('routing policies', () => {
  for (const [name, { make, summary }] of Object.entries(routingPolicies)) {
    describe(name, () => {
      itIsARoutingPolicy(make);

      it('says in one line what it does', () => expect(summary).to.match(/^[^\n]{10,80}$/));
    });
  }

  describe('round-robin, in particular', () => {
    it('takes one after the other', () => {
      const pool = poolOf(3);
      const policy = roundRobin();
      const names = Array.from({ length: 7 }, () => policy(pool, anExchange()).name.at(-1)).join('');
      expect(names).to.equal('1231231');
    });

    it('passes over nobody when a retry takes its turn out of order', () => {
      const pool = poolOf(3);
      const policy = roundRobin();
      policy(pool, anExchange());
      policy(pool.slice(2), anExchange());
      const names = Array.from({ length: 4 }, () => policy(pool, anExchange()).name.at(-1)).join('');
      expect(names).to.equal('2132');
    });
  });

  describe('least-connections, in particular', () => {
    it('picks a backend that has no more in flight than any other', () => {
      const loads = fc.array(fc.nat(5), { minLength: 1, maxLength: 8 });
      fc.assert(
        fc.property(loads, fc.integer(), (inFlight, seed) => {
          const chosen = leastConnections(chanceFrom(seed))(poolOf(inFlight.length, inFlight), anExchange());
          expect(chosen.inFlight.size).to.equal(Math.min(...inFlight));
        }),
      );
    });

    it('breaks ties evenly and never picks a busier one', () => {
      const pool = poolOf(5, [2, 1, 3, 1, 1]);
      const counts = tally(leastConnections(chanceFrom(3)), 9000, () => pool);
      expect([...counts.keys()].sort()).to.deep.equal(['backend-2', 'backend-4', 'backend-5']);
      expectEven(
        counts,
        pool.filter(({ inFlight }) => inFlight.size === 1),
        9000,
      );
    });

    for (const extreme of [0, 1 - Number.EPSILON]) {
      it(`answers with a candidate when chance says ${extreme}`, () => {
        const pool = poolOf(4);
        expect(pool).to.include(leastConnections(() => extreme)(pool, anExchange()));
      });
    }
  });

  describe('random, in particular', () => {
    it('decides by the chance that it is given and nothing else', () => {
      const pool = poolOf(4);
      const picks = [0, 0.2499, 0.25, 0.5, 0.75, 1 - Number.EPSILON].map(
        chance => random(() => chance)(pool, anExchange()).name,
      );
      expect(picks.map(name => name.at(-1)).join('')).to.equal('112344');
    });
  });
});
