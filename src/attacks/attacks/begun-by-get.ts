import { type Attack, Tries } from '../attack.js';
import { sessionCookie, sessionIn } from '../tools/browser.js';
import { makeRandomToken } from '../tools/forge-jwt.js';
import { listShopPaths, logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const loginProbes = {
  'in the query': ['careless-shop'],
  'in a body': ['careless-shop'],
  'as a POST in disguise': ['careless-shop'],
  'by Basic authentication': ['careless-shop'],
} as const;

/** A link or a picture of another site causes a GET. It must not log a user in. */
export const loginByGet: Attack = {
  title: 'log in by GET or HEAD: with the password in the query, the body or a header, or with a header that says POST',
  asvs: ['7.6.2'],
  probes: loginProbes,
  run: tryLogins,
};

async function tryLogins(target: Target) {
  const tries = new Tries<keyof typeof loginProbes>();
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
