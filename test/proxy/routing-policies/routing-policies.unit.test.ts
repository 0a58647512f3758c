import { expect } from 'chai';
import fc from 'fast-check';
import { leastConnections, parseHashKey, random, roundRobin, routingPolicies } from '#src/proxy/routing-policies.js';
import { anExchange, chanceFrom, expectEven, itIsARoutingPolicy, poolOf, tally } from './routing-policy.contract.js';

describe('routing policies', () => {
  for (const [name, { make, summary }] of Object.entries(routingPolicies)) {
    describe(name, () => {
      itIsARoutingPolicy(make);

      it('has a summary of one line', () => expect(summary).to.match(/^[^\n]{10,80}$/));
    });
  }

  describe('round-robin, in particular', () => {
    it('takes one after the other', () => {
      const pool = poolOf(3);
      const policy = roundRobin();
      const names = Array.from({ length: 7 }, () => policy(pool, anExchange()).name.at(-1)).join('');
      expect(names).to.equal('1231231');
    });

    it('skips no backend when a retry takes a turn out of order', () => {
      const pool = poolOf(3);
      const policy = roundRobin();
      policy(pool, anExchange());
      policy(pool.slice(2), anExchange());
      const names = Array.from({ length: 4 }, () => policy(pool, anExchange()).name.at(-1)).join('');
      expect(names).to.equal('2132');
    });
  });

  describe('round-robin with weights', () => {
    const sequence = (shares: readonly number[], length: number) => {
      const pool = poolOf(shares.length, [], shares);
      const policy = roundRobin();
      return Array.from({ length }, () => policy(pool, anExchange()).name.at(-1)).join('');
    };

    it('spreads the turns of a heavy backend around those of light ones', () => {
      expect(sequence([4, 1, 1], 12)).to.equal('112311112311');
      expect(sequence([2, 1], 9)).to.equal('121121121');
      expect(sequence([3, 2, 1], 12)).to.match(/^(?:[123]{6}){2}$/);
    });

    it('is exact after each whole round', () => {
      const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 });
      fc.assert(
        fc.property(weights, shares => {
          const pool = poolOf(shares.length, [], shares);
          const whole = shares.reduce((sum, share) => sum + share, 0);
          const counts = tally(roundRobin(), whole * 3, () => pool);
          // One more or one less when two are due at the same time.
          for (const { name, share } of pool) expect(counts.get(name)).to.be.closeTo(share * 3, 1);
        }),
      );
    });

    it('gives a returning backend the next turn, but not its missed turns', () => {
      const pool = poolOf(2, [], [9, 3]);
      const policy = roundRobin();
      tally(policy, 1000, () => pool.slice(0, 1));
      tally(policy, 12, () => pool);
      tally(policy, 1000, () => pool.slice(0, 1));
      expect(policy(pool, anExchange()).name).to.equal('backend-2');
      expect(tally(policy, 120, () => pool).get('backend-2')).to.be.within(29, 31);
    });
  });

  describe('least-connections, in particular', () => {
    it('divides what is in flight by the weight', () => {
      const pool = poolOf(3, [5, 3, 2], [3, 2, 1]);
      for (let i = 0; i < 20; i += 1)
        expect(leastConnections(chanceFrom(i))(pool, anExchange()).name).to.equal('backend-2');
    });

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
      it(`returns a candidate when chance returns ${extreme}`, () => {
        const pool = poolOf(4);
        expect(pool).to.include(leastConnections(() => extreme)(pool, anExchange()));
      });
    }
  });

  describe('random, in particular', () => {
    it('decides only by the given chance', () => {
      const pool = poolOf(4);
      const picks = [0, 0.2499, 0.25, 0.5, 0.75, 1 - Number.EPSILON].map(
        chance => random(() => chance)(pool, anExchange()).name,
      );
      expect(picks.map(name => name.at(-1)).join('')).to.equal('112344');
    });
  });
});

const exchange = anExchange({
  clientAddress: '192.0.2.1',
  cookie: name => ({ 'connect.sid': 's%3A1', empty: '' })[name],
  header: name => ({ 'x-shard': '7', empty: '' })[name],
});

describe('hash key', () => {
  const keys: Record<string, string | undefined> = {
    address: '192.0.2.1',
    'header:x-shard': '7',
    'header:X-Shard': '7',
    'header:absent': undefined,
    'header:empty': undefined,
    'cookie:connect.sid': 's%3A1',
    'cookie:Connect.sid': undefined,
    'cookie:empty': undefined,
  };
  for (const [text, key] of Object.entries(keys)) {
    it(`${text} is ${key ?? 'absent'}`, () => expect(parseHashKey(text)?.(exchange)).to.equal(key));
  }

  it('is absent where the peer has no address', () =>
    expect(parseHashKey('address')?.(anExchange({ clientAddress: '' }))).to.equal(undefined));

  for (const text of [
    '',
    'adress',
    'header',
    'header:',
    'cookie:',
    'cookie:a b',
    'cookie:a=1',
    'path:/x',
    'header:a:b',
  ]) {
    it(`rejects "${text}"`, () => expect(parseHashKey(text)).to.equal(undefined));
  }
});
