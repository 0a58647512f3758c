import { expect } from 'chai';
import { cartItemsMax, cartOf, cartTooLarge, keyOfToken, noCart } from '#src/simulator/users/journey.js';
import { drive, json, kindOf, steps, withServer } from './scripted.js';

const header = (fields: unknown) => Buffer.from(JSON.stringify(fields)).toString('base64url');

describe('the key of a session token', () => {
  for (const [what, token, key] of [
    ['a JWT and a refresh token', `${header({ alg: 'HS256', kid: 'k-1' })}.payload.sig~refresh`, 'k-1'],
    ['a JWT alone', `${header({ kid: '8c2f01ab' })}.payload.sig`, '8c2f01ab'],
    ['a sealed token', 'v1.8c2f01ab.Zm9vYmFy', '8c2f01ab'],
    ['a JWT without a kid', `${header({ alg: 'HS256' })}.payload.sig`, undefined],
    ['a JWT with a kid that is not an id', `${header({ kid: 'a b' })}.payload.sig`, undefined],
    ['a JWT with a kid that is not text', `${header({ kid: 7 })}.payload.sig`, undefined],
    ['a kid longer than any id', `${header({ kid: 'k'.repeat(33) })}.payload.sig`, undefined],
    [
      'a header that is longer than any of the shop',
      `${header({ kid: 'k', pad: 'x'.repeat(400) })}.payload.sig`,
      undefined,
    ],
    ['a header that is not JSON', 'abc.payload.sig', undefined],
    ['a header that is not an object', `${header(null)}.payload.sig`, undefined],
    ['the id of a session', 'J7Zr0kQ2vV0m9bC1xw', undefined],
    ['nothing', '', undefined],
  ] as const)
    it(`is ${key ?? 'unknown'} for ${what}`, () => expect(keyOfToken(token)).to.equal(key));

  it('is recorded only with a login that ended ok', async () => {
    const { operations } = await withServer(
      (request, response) => {
        const cookie = { 'set-cookie': 'session=v1.k7.Zm9v; Path=/' };
        const isRefused = kindOf(request) === 'login' && request.headers.cookie !== undefined;
        json(response, isRefused ? 503 : 200, { user: 'u1', items: [] }, cookie);
      },
      origin => drive(origin, [steps('login', 'read', 'login')]),
    );
    expect(operations.map(({ kind, key }) => `${kind} ${key}`)).to.deep.equal([
      'login k7',
      'read undefined',
      'login undefined',
    ]);
  });
});

describe('a cart', () => {
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
