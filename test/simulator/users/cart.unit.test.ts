import { expect } from 'chai';
import { cartItemsMax, cartOf, cartTooLarge, noCart } from '#src/simulator/users/journey.js';

describe('users: a cart', () => {
  for (const [what, lines, cart] of [
    ['nothing', [], []],
    [
      'lines, in their order',
      [
        ['b', 1],
        ['a', 1],
      ],
      ['b', 'a'],
    ],
    ['quantity 3: three times', [['a', 3]], ['a', 'a', 'a']],
    ['quantity 0: not at all', [['a', 0]], []],
    [
      'two lines of one token: both',
      [
        ['a', 1],
        ['b', 1],
        ['a', 1],
      ],
      ['a', 'b', 'a'],
    ],
    [
      'a token without a name',
      [
        ['a', 1],
        ['', 1],
      ],
      noCart,
    ],
    ['a token that is no text', [[7, 1]], noCart],
    ['no quantity', [['a']], noCart],
    ['a negative quantity', [['a', -1]], noCart],
    ['a fraction', [['a', 0.5]], noCart],
    ['an unsafe integer', [['a', 1e300]], noCart],
    ['more items than fit into memory', [['a', 1e9]], cartTooLarge],
    [
      'one more than the limit, on two lines',
      [
        ['a', cartItemsMax],
        ['b', 1],
      ],
      cartTooLarge,
    ],
  ] as const)
    it(`of ${what}`, () => {
      expect(cartOf(lines)).to.deep.equal(cart);
    });

  it('may be as large as the limit', () => {
    expect(
      cartOf([
        ['a', cartItemsMax],
        ['b', 0],
      ]),
    ).to.have.length(cartItemsMax);
  });
});
