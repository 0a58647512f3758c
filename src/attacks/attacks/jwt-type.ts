import type { Attack } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { cookieOf, type Forgery, genuine, type Header } from '../forge-jwt.js';
import { type Forge, tryForgeries } from '../jwt-attack.js';
import { enrolled, preLoginOf } from '../second-factor.js';
import type { Target } from '../target.js';

const types: readonly unknown[] = [
  'JWT',
  'refresh+jwt',
  'pre-login+jwt',
  'AT+JWT',
  'application/at+jwt',
  '',
  null,
  undefined,
];

/** Genuine tokens of the shop in each other's place, and texts that its key signed for another purpose. */
async function run(target: Target) {
  const preLogin = target.strategy === 'jwt' ? await preLoginToken(target) : '';
  return tryForgeries(target, async forge => {
    const ring = await target.keyRing();
    const typed = types.map(typ => ({
      what: `typ ${JSON.stringify(typ)} under a good signature`,
      token: cookieOf({ ...forge.header, typ } satisfies Header, forge.wish, genuine(ring)),
    }));
    return [...typed, ...misplaced(forge, preLogin)];
  });
}

async function preLoginToken(target: Target): Promise<string> {
  const { user } = await enrolled(target);
  const token = (await preLoginOf(target, user)).cookies.get('pre-login');
  if (token === undefined) throw new Inconclusive('the password alone gives no pre-authentication token');
  return token;
}

function misplaced({ ownCookie, wish }: Forge, preLogin: string): readonly Forgery[] {
  const [access = '', refresh = ''] = ownCookie.split('~');
  return [
    { what: 'the refresh token alone', token: refresh },
    { what: 'the refresh token in both places', token: `${refresh}~${refresh}` },
    { what: 'the refresh token and no access token', token: `~${refresh}` },
    { what: 'the access token alone', token: access },
    { what: 'the access token and no refresh token', token: `${access}~` },
    { what: 'the access token in both places', token: `${access}~${access}` },
    { what: 'the access token with the refresh token of another session', token: `${access}~${wish.refresh}` },
    { what: 'the pre-authentication token', token: preLogin },
    { what: 'the pre-authentication token with a refresh token', token: `${preLogin}~${refresh}` },
    { what: 'the access token with the pre-authentication token', token: `${access}~${preLogin}` },
  ];
}

export const jwtType: Attack = {
  title: 'a refresh or pre-authentication token, or one that was signed as another type, in place of an access token',
  asvs: ['9.2.2'],
  weak: ['jwt-trusting'],
  run,
};
