import { once } from 'node:events';
import { createServer } from 'node:http';
import { type Attack, type AttackResult, notApplicable, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import {
  cookieOf,
  type Forgery,
  type Header,
  makeContent,
  makeShopSigner,
  readToken,
  type TokenContent,
} from '../tools/forge-jwt.js';
import {
  forgeAlgorithms,
  forgeClaims,
  forgeExtensions,
  forgeKeyAddresses,
  forgeSignatures,
  forgeWithOwnKeys,
  listenersAnswer,
  listForeignClaims,
  listWrongTimes,
} from '../tools/jwt-forgeries.js';
import { enrolUser, preLoginOf } from '../tools/second-factor.js';
import { expectStatus, logInFreshUser, userOf } from '../tools/shop.js';
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

/** Sends genuine tokens of the shop in the wrong place, and tokens that its key signed as another type. */
async function tryTypes(target: Target) {
  const preLogin = target.strategy === 'jwt' ? await preLoginToken(target) : '';
  return tryForgeries(target, async forge => {
    const ring = await target.keyRing();
    const typed = types.map(typ => ({
      what: `typ ${JSON.stringify(typ)} under a good signature`,
      token: cookieOf({ ...forge.header, typ } satisfies Header, forge.content, makeShopSigner(ring)),
    }));
    return [...typed, ...misplaceTokens(forge, preLogin)];
  });
}

async function preLoginToken(target: Target): Promise<string> {
  const { user } = await enrolUser(target);
  const token = (await preLoginOf(target, user)).cookies.get('pre-login');
  if (token === undefined) throw new Inconclusive('the password alone gives no pre-authentication token');
  return token;
}

function misplaceTokens({ ownCookie, content }: Forge, preLogin: string): readonly Forgery[] {
  const [access = '', refresh = ''] = ownCookie.split('~');
  return [
    { what: 'the refresh token alone', token: refresh },
    { what: 'the refresh token in both places', token: `${refresh}~${refresh}` },
    { what: 'the refresh token and no access token', token: `~${refresh}` },
    { what: 'the access token alone', token: access },
    { what: 'the access token and no refresh token', token: `${access}~` },
    { what: 'the access token in both places', token: `${access}~${access}` },
    { what: 'the access token with the refresh token of another session', token: `${access}~${content.refresh}` },
    { what: 'the pre-authentication token', token: preLogin },
    { what: 'the pre-authentication token with a refresh token', token: `${preLogin}~${refresh}` },
    { what: 'the access token with the pre-authentication token', token: `${access}~${preLogin}` },
  ];
}

export const jwtType: Attack = {
  title: 'send a refresh or pre-authentication token, or a token signed as another type, in place of an access token',
  asvs: ['9.2.2'],
  weak: ['jwt-trusting'],
  run: tryTypes,
};

export const jwtAlgorithm: Attack = {
  title: 'send a token that asks for another algorithm: "none" in every spelling, or a public key used as a secret',
  asvs: ['9.1.2'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, ({ header, content, ownSignature }) => forgeAlgorithms(header, content, ownSignature)),
};

export const jwtSignature: Attack = {
  title:
    'send a token with a signature that is missing, empty, all zeros, made over another text or with a guessed key',
  asvs: ['9.1.1'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, ({ header, content, ownSignature }) => forgeSignatures(header, content, ownSignature)),
};

/** The tokens are signed with the key of the shop, as by another service that shares it. */
export const jwtAudience: Attack = {
  title: 'send a well-signed token that was made for another audience or by another issuer',
  asvs: ['9.2.3', '9.2.4'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, content }) =>
      forgeClaims(header, content, await target.keyRing(), listForeignClaims(content.claims)),
    ),
};

export const jwtOwnKey: Attack = {
  title: 'send a token that brings its own key (jwk, x5c), names a file as its key (kid), or says how to read it',
  asvs: ['9.1.3'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, content }) => [
      ...forgeWithOwnKeys(header, content),
      ...forgeExtensions(header, content, await target.keyRing()),
    ]),
};

/** The tokens are signed with the key of the shop, as by another service that shares it. So only a claim is wrong. */
export const jwtTimes: Attack = {
  title: 'send a well-signed token whose expiry is missing, no number, past or years away, or that is not valid yet',
  asvs: ['9.2.1'],
  weak: ['jwt-trusting'],
  run: target =>
    tryForgeries(target, async ({ header, content }) =>
      forgeClaims(header, content, await target.keyRing(), listWrongTimes(Date.now() / 1000)),
    ),
};

/** Counts a connection to a named address as success too: an attacker could send requests through the server (SSRF). */
async function tryKeyAddresses(target: Target): Promise<AttackResult> {
  return withListener(listenersAnswer, async listener => {
    const { status } = await fetch(`${listener.url}/keys.json`);
    const own = listener.connections();
    if (status !== 200 || own === 0) throw new Inconclusive('the listener does not count connections');
    const result = await tryForgeries(target, ({ header, content }) =>
      forgeKeyAddresses(header, content, listener.url),
    );
    const connections = listener.connections() - own;
    if (result.outcome === 'not applicable' || connections === 0) return result;
    const reason = `the system connected ${connections} times to an address that a token named`;
    return { exchanges: [], ...result, outcome: 'succeeded', reason };
  });
}

export const jwtKeyAddress: Attack = {
  title: "send a token that names the attacker's server as the address of its key (jku, x5u, kid); count connections",
  asvs: ['9.1.3'],
  weak: ['jwt-trusting'],
  run: tryKeyAddresses,
};

/** A server of the attacker on a real socket. Only a system that followed a token connects to it. */
interface Listener {
  readonly url: string;
  /** Returns the number of connections so far. */
  connections(): number;
}

/** Runs `work` with a listener that answers every request with `answer`, then closes the listener. */
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

/** The material of an attacker: an own genuine token, and the name of a victim. */
interface Forge {
  readonly header: Readonly<Record<string, unknown>>;
  readonly ownSignature: string;
  readonly ownCookie: string;
  readonly content: TokenContent;
  readonly victim: string;
}

/**
 * Sends every cookie that `forgeries` makes to GET /me. First it shows that the forged claims are right: signed with
 * the key of the shop, they are accepted as the victim. So every refusal of a forgery is due to what is wrong with it.
 */
async function tryForgeries(
  target: Target,
  forgeries: (forge: Forge) => Promise<readonly Forgery[]> | readonly Forgery[],
): Promise<AttackResult> {
  if (target.strategy !== 'jwt') return notApplicable('the session cookie is not a signed token');
  const forge = await prepareForge(target);
  const sound = cookieOf(forge.header, forge.content, makeShopSigner(await target.keyRing()));
  if ((await fetchUser(target, sound)).user !== forge.victim)
    throw new Inconclusive(
      'the same claims signed with the genuine key are not accepted, so the forgeries would prove nothing',
    );
  const tries = new Tries();
  for (const { what, token } of await forgeries(forge)) {
    const { user, answer } = await fetchUser(target, token);
    tries.add(`${what}: accepted as ${user}`, user !== undefined, answer);
  }
  return tries.result();
}

async function prepareForge(target: Target): Promise<Forge> {
  const { browser } = await logInFreshUser(target);
  const victim = target.freshUser();
  const own = readToken(browser.token);
  if (own === undefined) throw new Inconclusive('the session cookie of mode jwt holds no signed token');
  const { header, claims, signature } = own;
  return { header, ownSignature: signature, ownCookie: browser.token, content: makeContent(victim, claims), victim };
}

async function fetchUser(target: Target, cookie: string) {
  const answer = await target.browser().thief(cookie).get('/me');
  return { user: userOf(answer), answer: expectStatus(answer, 200, 'GET /me') };
}
