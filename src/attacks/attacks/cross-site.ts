import { type Attack, Tries } from '../attack.js';
import { type AttackBrowser, sessionCookie, sessionIn } from '../tools/browser.js';
import { makeRandomToken } from '../tools/forge.js';
import { enrolUser, expectStatus, listShopPaths, logInFreshUser, preLoginOf } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const postProbes = {
  Origin: ['careless-shop'],
  'Sec-Fetch-Site': ['careless-shop'],
  'a form': ['careless-shop'],
  'X-Forwarded-Host': ['lenient-shop'],
  'GET instead of POST': ['careless-shop'],
} as const;

/**
 * A page of another site sends requests with the cookies of the visitor. SameSite=Lax stops most of them in the
 * browser. The shop must stop them too, because a sibling host counts as the same site.
 */
export const crossSitePost: Attack = {
  title: "change another user's session from a page of another site, or by a GET",
  asvs: ['3.5.1', '3.5.3'],
  probes: postProbes,
  run: tryChanges,
};

const changes = [
  ['POST', '/cart', { sku: 'planted' }],
  ['DELETE', '/cart/tea', undefined],
] as const;

const endings = [
  ['POST', '/account/sessions/end-others', {}],
  ['POST', '/logout', {}],
  ['POST', '/logout-everywhere', {}],
] as const;

const noSuchMethod = 405;

async function tryChanges(target: Target) {
  const tries = new Tries<keyof typeof postProbes>();
  // A request that ends sessions has its own session. Otherwise it would hide the results of the others.
  const { browser } = await logInFreshUser(target);
  const { host, origin } = new URL(target.proxyUrl);
  const own = await browser.post('/cart', { sku: 'tea' }, { headers: { origin, 'sec-fetch-site': 'same-origin' } });
  expectStatus(own, 201, 'a change from a page of the shop itself');
  const browsers = new Map<string, AttackBrowser>();
  for (const [, path] of endings) browsers.set(path, (await logInFreshUser(target)).browser);
  const victimOf = (path: string) => (browsers.get(path) ?? browser).copy();
  for (const { kind, what, headers } of listCrossSiteRequests(host)) {
    // A form cannot send DELETE, and a body type needs a body.
    const sendable = [...changes, ...endings].filter(([method]) => method === 'POST' || kind !== 'a form');
    for (const [method, path, body] of sendable) {
      if (tries.of(kind).hasSucceeded) break;
      const answer = await victimOf(path).send(method, path, { headers, body });
      // In a weak system an earlier try may have ended the session.
      if (answer.status !== 401)
        tries.of(kind).addRequest(`${method} ${path}, ${what}, was carried out`, answer, ...refusals);
    }
  }
  for (const [method, path, body] of [...changes, ...endings]) {
    const overrides = { 'x-http-method-override': method, 'x-http-method': method };
    const query = `?${new URLSearchParams({ ...body, _method: method })}`;
    const answer = await victimOf(path).get(`${path}${query}`, { headers: overrides });
    // GET /cart is allowed: it reads the cart. The cart itself is checked afterwards.
    if (path === '/cart' && answer.status === 200) continue;
    tries.of('GET instead of POST').addRequest(`GET ${path} as ${method} was carried out`, answer, noSuchMethod);
  }
  const cart = expectStatus(await browser.get('/cart'), 200, 'the cart afterwards');
  const isChanged = !/"items":\[\{"sku":"tea","quantity":1\}\]/.test(cart.text);
  tries.of('GET instead of POST').add('the cart was changed', isChanged, cart);
  return tries.result();
}

const loginProbes = {
  'a login': ['careless-shop'],
  'a password before a code': ['careless-shop'],
  'a one-time code': ['careless-shop'],
} as const;

/** The browser of the victim is logged in as the attacker. The attacker then reads what the victim enters. */
export const loginCsrf: Attack = {
  title: "log a visitor in under the attacker's name from a page of another site, with and without a second factor",
  asvs: ['3.5.1'],
  probes: loginProbes,
  run: tryLogins,
};

async function tryLogins(target: Target) {
  const tries = new Tries<keyof typeof loginProbes>();
  const { host, origin } = new URL(target.proxyUrl);
  const login = { user: target.freshUser(), password: target.password };
  const own = await target.browser().post('/login', login, { headers: { origin, 'sec-fetch-site': 'same-origin' } });
  expectStatus(own, 200, 'a login from a page of the shop itself');
  const names = ['a login', 'a password before a code', 'a one-time code'] as const;
  const attacker = await enrolUser(target);
  const halfway = await preLoginOf(target, attacker.user);
  const code = attacker.code(attacker.usedStep + 1);
  for (const { what, headers } of listCrossSiteRequests(host)) {
    if (names.every(name => tries.of(name).hasSucceeded)) break;
    const whole = await target.browser().post('/login', login, { headers });
    tries.of('a login').addRequest(`${what}: the login was accepted`, whole, ...refusals);
    const first = await target.browser().post('/login', { ...login, user: attacker.user }, { headers });
    tries.of('a password before a code').addRequest(`${what}: the password was accepted`, first, ...refusals);
    const second = await halfway.copy().post('/login/totp', { code }, { headers });
    tries.of('a one-time code').addRequest(`${what}: the one-time code was accepted`, second, ...refusals);
  }
  return tries.result();
}

/** A request from another site, or one that pretends to come from this site. */
interface CrossSiteRequest {
  readonly kind: 'Origin' | 'Sec-Fetch-Site' | 'a form' | 'X-Forwarded-Host';
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Status codes with which the shop refuses such a request: 403 for another site, 415 for a body type that a form can send. */
const refusals = [403, 415];

/** Lists the requests to try. `host` is that of the system under attack. */
function listCrossSiteRequests(host: string): readonly CrossSiteRequest[] {
  const [name = '', port = ''] = host.split(':');
  const origins = [
    'https://evil.example',
    'null',
    '',
    'http://',
    host,
    `http://${host}.evil.example`,
    `http://evil.example/${host}`,
    `http://${host}@evil.example`,
    `http://evil.example?${host}`,
    `http://evil-${host}`,
    `http://${name}:${Number(port) + 1}`,
    `http://${name}`,
    `http://${host} https://evil.example`,
    `https://evil.example, http://${host}`,
  ];
  const own = `http://${host}`;
  return [
    ...origins.map(origin => ({ kind: 'Origin' as const, what: `Origin: ${origin}`, headers: { origin } })),
    ...['cross-site', 'same-site', 'Cross-Site', '', 'same-origin, cross-site'].map(site => ({
      kind: 'Sec-Fetch-Site' as const,
      what: `Sec-Fetch-Site: ${site}`,
      headers: { 'sec-fetch-site': site },
    })),
    {
      kind: 'Sec-Fetch-Site',
      what: 'Sec-Fetch-Site: cross-site, own Origin',
      headers: { 'sec-fetch-site': 'cross-site', origin: own },
    },
    ...forms.map(type => ({ kind: 'a form' as const, what: `a form, ${type}`, headers: { 'content-type': type } })),
    ...forms.map(type => ({
      kind: 'a form' as const,
      what: `a form of a page without origin, ${type}`,
      headers: { 'content-type': type, origin: 'null' },
    })),
    {
      kind: 'X-Forwarded-Host',
      what: "the attacker's host in X-Forwarded-Host",
      headers: {
        origin: 'https://evil.example',
        'x-forwarded-host': 'evil.example',
        'x-original-host': 'evil.example',
      },
    },
  ];
}

/** Types that a form of another site can send without a preflight (CORS: simple requests). The body stays JSON. */
const forms = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain; application/json',
];

const loginByGetProbes = {
  'in the query': ['careless-shop'],
  'in a body': ['careless-shop'],
  'as a POST in disguise': ['careless-shop'],
  'by Basic authentication': ['careless-shop'],
} as const;

/** A link or a picture of another site causes a GET. It must not log a user in. */
export const loginByGet: Attack = {
  title: 'log in by GET or HEAD: with the password in the query, the body or a header, or with a header that says POST',
  asvs: ['7.6.2'],
  probes: loginByGetProbes,
  run: tryLoginsByGet,
};

async function tryLoginsByGet(target: Target) {
  const tries = new Tries<keyof typeof loginByGetProbes>();
  const { user } = await logInFreshUser(target);
  const { password } = target;
  const fields = { user, password };
  const query = `?${new URLSearchParams(fields)}`;
  const overrides = { 'x-http-method-override': 'POST', 'x-http-method': 'POST', 'x-method-override': 'POST' };
  const basic = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  for (const [probe, method, path, options] of [
    ['in the query', 'GET', `/login${query}`, {}],
    ['in the query', 'HEAD', `/login${query}`, {}],
    ['in the query', 'GET', `/${query}`, {}],
    ['in the query', 'GET', `/me${query}`, {}],
    ['in a body', 'GET', '/login', { body: fields }],
    ['as a POST in disguise', 'GET', '/login', { body: fields, headers: overrides }],
    ['as a POST in disguise', 'GET', `/login${query}`, { headers: overrides }],
    ['as a POST in disguise', 'GET', `/login${query}&_method=POST`, {}],
    ['by Basic authentication', 'GET', '/cart', { headers: basic }],
    ['by Basic authentication', 'GET', '/me', { headers: basic }],
  ] as const) {
    const answer = await target.browser().send(method, path, options);
    const isBegun = sessionIn(answer) !== undefined || answer.json.user === user;
    tries.of(probe).add(`${method} ${path.split('?')[0]} began a session`, isBegun, answer);
  }
  return tries.result();
}

const crawlProbes = {
  'without a cookie': ['careless-shop'],
  'with an unknown cookie': ['careless-shop'],
} as const;

/** A read begins no session: a crawler or a link preview must not fill the store, and no token must be planted. */
export const sessionByCrawling: Attack = {
  title: 'get a session by reading every page without a login, with no cookie and with an unknown one',
  asvs: ['7.6.2'],
  probes: crawlProbes,
  run: crawl,
};

async function crawl(target: Target) {
  const tries = new Tries<keyof typeof crawlProbes>();
  await logInFreshUser(target);
  for (const path of ['/no-such-path', ...(await listShopPaths(target.browser()))]) {
    for (const method of ['GET', 'HEAD']) {
      for (const planted of [undefined, makeRandomToken()]) {
        const browser = target.browser();
        if (planted !== undefined) browser.cookies.set(sessionCookie, planted);
        const answer = await browser.send(method, path);
        const probe = tries.of(planted === undefined ? 'without a cookie' : 'with an unknown cookie');
        probe.add(`${method} ${path} began a session`, sessionIn(answer) !== undefined, answer);
      }
    }
  }
  return tries.result();
}
