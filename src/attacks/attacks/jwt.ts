import { once } from 'node:events';
import { createServer } from 'node:http';
import { type Attack, type AttackResult, notApplicable, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { cookieOf, type Forgery, genuine, type Header, readToken, type Wish, wishFor } from '../tools/forge-jwt.js';
import {
  extensions,
  foreign,
  keyAddresses,
  listenersAnswer,
  otherwise,
  ownKeys,
  saying,
  unsigned,
  untimely,
} from '../tools/jwt-forgeries.js';
import { enrolled, preLoginOf } from '../tools/second-factor.js';
import { expectStatus, loggedIn, userOf } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

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
async function tryTypes(target: Target) {
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
  run: tryTypes,
};

export const jwtAlgorithm: Attack = {
  title: 'a signed token that asks for another algorithm: none in every spelling, or a public key taken for a secret',
  asvs: ['9.1.2'],
  weak: ['jwt-trusting'],
  run: target => tryForgeries(target, ({ header, wish, ownSignature }) => otherwise(header, wish, ownSignature)),
};

export const jwtSignature: Attack = {
  title: 'a signed token whose signature is missing, empty, of zeros, of another text, or of a guessed key',
  asvs: ['9.1.1'],
  weak: ['jwt-trusting'],
  run: target => tryForgeries(target, ({ header, wish, ownSignature }) => unsigned(header, wish, ownSignature)),
};

/** Signed with the shop's own key, as another service would that has it too. */
export const jwtAudience: Attack = {
  title: 'a well-signed token that was made for another audience, or by another issuer',
  asvs: ['9.2.3', '9.2.4'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, wish }) =>
      saying(header, wish, await target.keyRing(), foreign(wish.claims)),
    ),
};

export const jwtOwnKey: Attack = {
  title: 'a signed token that brings its key (jwk, x5c), names a file as its key (kid), or says how it is to be read',
  asvs: ['9.1.3'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, wish }) => [
      ...ownKeys(header, wish),
      ...extensions(header, wish, await target.keyRing()),
    ]),
};

/** Signed with the shop's own key, as another service would that has it too: a claim can be wrong for no other reason. */
export const jwtTimes: Attack = {
  title: 'a well-signed token whose end is missing, no number, past, or years away, or whose beginning is yet to come',
  asvs: ['9.2.1'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, wish }) =>
      saying(header, wish, await target.keyRing(), untimely(Date.now() / 1000)),
    ),
};

/** Not only whether the token is believed: a server that fetches whatever a token names is an attacker's legs. */
async function tryKeyAddresses(target: Target): Promise<AttackResult> {
  return withListener(listenersAnswer, async listener => {
    const { status } = await fetch(`${listener.url}/keys.json`);
    const own = listener.connections();
    if (status !== 200 || own === 0) throw new Inconclusive('the listener does not count who connects');
    const result = await tryForgeries(target, ({ header, wish }) => keyAddresses(header, wish, listener.url));
    const connections = listener.connections() - own;
    if (result.outcome === 'not applicable' || connections === 0) return result;
    const reason = `the system connected ${connections} times to where a token told it to`;
    return { exchanges: [], ...result, outcome: 'succeeded', reason };
  });
}

export const jwtKeyAddress: Attack = {
  title: 'a signed token that says where its key is (jku, x5u, kid): a server of the attacker, who counts connections',
  asvs: ['9.1.3'],
  weak: ['jwt-trusting'],
  run: tryKeyAddresses,
};

/** A server of the attacker, on a real socket: whoever connects has been made to. */
interface Listener {
  readonly url: string;
  /** So many connections there have been. */
  connections(): number;
}

/** It answers everything with `answer`. */
export async function withListener<T>(answer: string, work: (listener: Listener) => Promise<T>): Promise<T> {
  let connections = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(answer);
  });
  server.on('connection', () => {
    connections += 1;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    return await work({ url: `http://127.0.0.1:${port}`, connections: () => connections });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** What a forger starts from: the own genuine token, and a victim whose name is known. */
interface Forge {
  readonly header: Readonly<Record<string, unknown>>;
  readonly ownSignature: string;
  readonly ownCookie: string;
  readonly wish: Wish;
  readonly victim: string;
}

/**
 * Tries every cookie that `forgeries` makes on GET /me. First it is shown that the forger's craft is good: the same claims
 * under the shop's own key are taken for the victim, so that whatever else is refused is refused for what is wrong with it.
 */
async function tryForgeries(
  target: Target,
  forgeries: (forge: Forge) => Promise<readonly Forgery[]> | readonly Forgery[],
): Promise<AttackResult> {
  if (target.strategy !== 'jwt') return notApplicable('the session cookie is no signed token');
  const forge = await forgeFor(target);
  const sound = cookieOf(forge.header, forge.wish, genuine(await target.keyRing()));
  if ((await namedBy(target, sound)).user !== forge.victim)
    throw new Inconclusive(
      'the same claims under the genuine key are not accepted: the forger does not know his craft',
    );
  const tries = new Tries();
  for (const { what, token } of await forgeries(forge)) {
    const { user, answer } = await namedBy(target, token);
    tries.add(`${what}: taken for ${user}`, user !== undefined, answer);
  }
  return tries.result();
}

async function forgeFor(target: Target): Promise<Forge> {
  const { browser } = await loggedIn(target);
  const victim = target.freshUser();
  const own = readToken(browser.token);
  if (own === undefined) throw new Inconclusive('the session cookie of mode jwt holds no signed token');
  const { header, claims, signature } = own;
  return { header, ownSignature: signature, ownCookie: browser.token, wish: wishFor(victim, claims), victim };
}

async function namedBy(target: Target, cookie: string) {
  const answer = await target.browser().thief(cookie).get('/me');
  return { user: userOf(answer), answer: expectStatus(answer, 200, 'GET /me') };
}
