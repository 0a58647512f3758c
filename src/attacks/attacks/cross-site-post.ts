import { type Attack, Tries } from '../attack.js';
import type { AttackBrowser } from '../tools/browser.js';
import { listCrossSiteRequests, refusals } from '../tools/cross-site.js';
import { expectStatus, logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
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
  probes,
  run,
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

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  // A request that ends sessions must not hide the result of the others, so it has a session of its own.
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
