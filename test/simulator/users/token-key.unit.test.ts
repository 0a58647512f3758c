import { expect } from 'chai';
import { keyOfToken } from '#src/simulator/users/journey.js';
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
