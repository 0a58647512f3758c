import { type Attack, Tries } from '../attack.js';
import {
  type AttackBrowser,
  type BrowserAnswer,
  cookieBytesMax,
  Inconclusive,
  readSetCookie,
  type SetCookie,
  sessionCookies,
} from '../tools/browser.js';
import { enrolUser, expectStatus, listShopPaths, logInFreshUser, preLoginOf } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const attributeProbes = {
  HttpOnly: ['careless-shop'],
  SameSite: ['careless-shop'],
  Path: ['careless-shop'],
  Domain: ['careless-shop'],
  Secure: ['careless-shop'],
  '__Host-': ['careless-shop'],
  '__Host- without Secure': ['careless-shop'],
  lifetime: ['careless-shop'],
  'another name': ['lenient-shop'],
} as const;

type AttributeProbe = keyof typeof attributeProbes;

/**
 * Checks every cookie that the system sets during a visit against RFC 6265bis, over plain HTTP and behind a TLS
 * terminator. Then sends a token that was issued over TLS under the cookie name of plain HTTP. An attacker on the
 * network, or another host of the domain, could set a cookie of that name.
 */
export const cookieAttributes: Attack = {
  title:
    'find a cookie without HttpOnly, SameSite, Path, Secure or __Host-, or with a Domain; use one without its prefix',
  asvs: ['3.3.1', '3.3.2', '3.3.3', '3.3.4'],
  probes: attributeProbes,
  run: tryAttributes,
};

const tls = { 'x-forwarded-proto': 'https' };

async function tryAttributes(target: Target) {
  const tries = new Tries<AttributeProbe>();
  for (const headers of [{}, tls]) {
    const secure = headers === tls;
    const answers = await visit(target, headers);
    const set = answers.flatMap(answer => answer.setCookies.map(line => ({ cookie: readSetCookie(line), answer })));
    if (set.every(({ cookie }) => !sessionCookies.has(cookie.name)))
      throw new Inconclusive('a login set no session cookie to check');
    for (const { cookie, answer } of set) {
      const shown = { status: answer.status, exchange: { ...answer.exchange, decisive: describeCookie(cookie) } };
      const where = `${cookie.name} over ${secure ? 'TLS' : 'plain HTTP'}`;
      for (const [probe, flaw, isFound] of checksOf(cookie, secure))
        tries.of(probe).add(`${where}: ${flaw}`, isFound, shown);
    }
  }
  await tryWithoutPrefix(target, tries);
  return tries.result();
}

/** Sends every kind of request that sets or clears a cookie: logins with one and two factors, a change, a logout. */
async function visit(target: Target, headers: Readonly<Record<string, string>>): Promise<readonly BrowserAnswer[]> {
  const { user, browser: first } = await enrolUser(target);
  const login = { user: target.freshUser(), password: target.password };
  const browser = target.browser();
  return [
    await browser.post('/login', login, { headers }),
    await browser.post('/cart', { sku: 'tea' }, { headers }),
    await browser.get('/me', { headers: { ...headers, cookie: 'session=unknown; __Host-session=unknown' } }),
    await (await preLoginOf(target, user)).post('/login', { user, password: target.password }, { headers }),
    await first.get('/cart', { headers }),
    await browser.post('/logout', {}, { headers }),
  ];
}

/** Returns the Set-Cookie line without its value. */
function describeCookie({ line }: SetCookie): string {
  return `set-cookie: ${line.replace(/=[^;]*/, '=…')}`;
}

type Check = readonly [probe: AttributeProbe, flaw: string, isFound: boolean];

function checksOf({ name, value, attributes }: SetCookie, secure: boolean): readonly Check[] {
  const sameSite = attributes.get('samesite')?.toLowerCase();
  return [
    ['HttpOnly', 'no HttpOnly', !attributes.has('httponly')],
    ['SameSite', 'SameSite is not Lax or Strict', sameSite !== 'lax' && sameSite !== 'strict'],
    ['Path', 'Path is not /', attributes.get('path') !== '/'],
    ['Domain', 'has a Domain', attributes.has('domain')],
    ['Secure', 'no Secure', secure && !attributes.has('secure')],
    ['__Host-', 'no __Host-', secure && !name.startsWith('__Host-')],
    [
      '__Host- without Secure',
      '__Host- without Secure, which browsers reject',
      name.startsWith('__') && !attributes.has('secure'),
    ],
    [
      'lifetime',
      'outlives the browser',
      value !== '' && sessionCookies.has(name) && (attributes.has('max-age') || attributes.has('expires')),
    ],
  ];
}

/**
 * Names that a browser stores without the checks of the `__Host-` prefix. A careless server takes such a cookie for its
 * own. A `trim` may remove byte A0 and similar bytes as white space; to a browser they are part of the name.
 */
const bareNames = [
  'session',
  '__Secure-session',
  '__Host_session',
  '__host-session',
  '__HOST-SESSION',
  '$__Host-session',
  '"__Host-session"',
  '\u00a0__Host-session',
  '__Host-session\u00a0',
  '\u00c2\u00a0__Host-session',
  '\u0085__Host-session',
  '\u00e2\u0080\u0080__Host-session',
];

async function tryWithoutPrefix(target: Target, tries: Tries<AttributeProbe>): Promise<void> {
  const user = target.freshUser();
  const browser = target.browser();
  await browser.post('/login', { user, password: target.password }, { headers: tls });
  const genuine = [...browser.cookies].find(([name]) => sessionCookies.has(name));
  const [name = '', token = ''] = genuine ?? [];
  const honoured = await browser.get('/me', { headers: tls });
  // A cookie that lacks the prefix has been found already, and the shop itself may not read it back.
  if (honoured.json.user !== user && !name.startsWith('__Host-')) return;
  if (honoured.json.user !== user) throw new Inconclusive('a login behind TLS gave no session');
  const others = [...browser.cookies].filter(([each]) => each !== name).map(([each, value]) => `${each}=${value}`);
  for (const bare of bareNames) {
    if (bare === name) continue;
    const cookie = [...others, `${bare}=${token}`].join('; ');
    const answer = await target.browser().get('/me', { headers: { ...tls, cookie } });
    const what = `the token of TLS was accepted under the name ${JSON.stringify(bare)}`;
    tries.of('another name').add(what, answer.json.user === user, answer);
  }
}

const skuChars = 64;
const skus = 100;

const sizeProbes = {
  'a long cookie': ['careless-shop'],
  'a lost item': ['lenient-shop'],
} as const;

/**
 * Puts more into a cart than a cookie holds. The shop must refuse what does not fit, and keep what it acknowledged. A
 * change in a cookie that browsers do not store is lost.
 */
export const cookieSize: Attack = {
  title: 'fill the cart until a cookie is longer than browsers accept',
  asvs: ['3.3.5'],
  probes: sizeProbes,
  run: trySize,
};

async function trySize(target: Target) {
  const tries = new Tries<keyof typeof sizeProbes>();
  const { browser } = await logInFreshUser(target);
  let kept = 0;
  for (let number = 0; number < skus; number++) {
    const answer = await browser.post('/cart', { sku: String(number).padStart(skuChars, 'x') });
    if (answer.status === 201) kept += 1;
    else expectStatus(answer, 413, 'what does not fit into the cart');
    const sizes = answer.setCookies.map(readSetCookie).map(({ name, value }) => Buffer.byteLength(name + value));
    const largest = Math.max(0, ...sizes);
    tries.of('a long cookie').add(`a cookie of ${largest} bytes was set`, largest > cookieBytesMax, answer);
  }
  if (kept === 0) throw new Inconclusive('the shop accepted no item for the cart');
  const cart = expectStatus(await browser.get('/cart'), 200, 'the cart');
  const { items } = cart.json;
  const held = Array.isArray(items) ? items.length : 0;
  tries.of('a lost item').add(`${kept} items were acknowledged, but the cart holds ${held}`, held !== kept, cart);
  return tries.result();
}

const bodyProbes = {
  'in a body': ['careless-shop'],
  'in another header': ['careless-shop'],
} as const;

/** A script in the page cannot read the cookie, so it must not find the token elsewhere. */
export const tokenInBody: Attack = {
  title: 'find the token, or a part of it, in the body or another header of any answer of any route',
  asvs: ['3.3.4'],
  probes: bodyProbes,
  run: searchAnswers,
};

/** Shorter parts, such as the id of a key, are not secret. */
const partCharsMin = 20;

async function searchAnswers(target: Target) {
  const tries = new Tries<keyof typeof bodyProbes>();
  const browser = target.browser();
  const parts = new Set<string>();
  for await (const { what, answer } of callEveryRoute(target, browser)) {
    for (const part of partsOf(browser)) parts.add(part);
    const isIn = (text: string) => [...parts].some(part => text.includes(part));
    const headers = JSON.stringify({ ...answer.headers, 'set-cookie': undefined });
    tries.of('in a body').add(`the body of the answer to ${what} shows the token`, isIn(answer.text), answer);
    tries.of('in another header').add(`a header of the answer to ${what} shows the token`, isIn(headers), answer);
  }
  return tries.result();
}

/** Calls every route as a logged-in user: with GET, with a wrong body, and correctly. */
async function* callEveryRoute(
  target: Target,
  browser: AttackBrowser,
): AsyncGenerator<{ what: string; answer: BrowserAnswer }> {
  const { password } = target;
  const login = await browser.post('/login', { user: target.freshUser(), password });
  if (!login.setCookies.some(line => line.includes(browser.token)))
    throw new Inconclusive('the login did not set the token in a cookie, so a search elsewhere would prove nothing');
  yield { what: 'the login', answer: login };
  const paths = await listShopPaths(target.browser());
  for (const path of ['/no-such-path', ...paths]) {
    yield { what: `GET ${path}`, answer: await browser.get(path) };
    yield { what: `POST ${path} with nonsense`, answer: await browser.post(path, { non: 'sense' }) };
  }
  const proof = await browser.post('/account/reauthenticate', { password });
  yield { what: 'POST /account/reauthenticate', answer: proof };
  for (const [path, body] of [
    ['/cart', { sku: 'tea' }],
    ['/account/sessions/end-others', { nonce: proof.json.nonce }],
    ['/logout', {}],
  ] as const)
    yield { what: `POST ${path}`, answer: await browser.post(path, body) };
}

function partsOf({ cookies }: AttackBrowser): readonly string[] {
  return [...cookies.values()].flatMap(value => [value, ...value.split(/[.~]/)]).filter(isTelling);
}

function isTelling({ length }: string): boolean {
  return length >= partCharsMin;
}
