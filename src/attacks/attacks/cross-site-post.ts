import { type Attack, Tries } from '../attack.js';
import { listCrossSiteRequests, refusals } from '../tools/cross-site.js';
import { expectStatus, logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/**
 * A page of another site sends requests with the cookies of the visitor. SameSite=Lax stops most of them in the
 * browser. The shop must stop them too, because a sibling host counts as the same site.
 */
export const crossSitePost: Attack = {
  title: "change another user's session from a page of another site, or by a GET",
  asvs: ['3.5.1', '3.5.3'],
  weak: ['careless-shop'],
  run,
};

const changes = [
  ['POST', '/cart', { sku: 'planted' }],
  ['DELETE', '/cart/tea', undefined],
  ['POST', '/account/sessions/end-others', {}],
  ['POST', '/logout', {}],
  ['POST', '/logout-everywhere', {}],
] as const;

const noSuchMethod = 405;

async function run(target: Target) {
  const tries = new Tries();
  const { browser } = await logInFreshUser(target);
  const { host, origin } = new URL(target.proxyUrl);
  const own = await browser.post('/cart', { sku: 'tea' }, { headers: { origin, 'sec-fetch-site': 'same-origin' } });
  expectStatus(own, 201, 'a change from a page of the shop itself');
  for (const { what, headers } of listCrossSiteRequests(host)) {
    // A form cannot send DELETE, and a body type needs a body.
    const sendable = changes.filter(([method]) => method === 'POST' || headers['content-type'] === undefined);
    for (const [method, path, body] of sendable)
      tries.addRequest(
        `${method} ${path}, ${what}, was carried out`,
        await browser.copy().send(method, path, { headers, body }),
        ...refusals,
      );
  }
  for (const [method, path, body] of changes) {
    const overrides = { 'x-http-method-override': method, 'x-http-method': method };
    const query = `?${new URLSearchParams({ ...body, _method: method })}`;
    const answer = await browser.copy().get(`${path}${query}`, { headers: overrides });
    // GET /cart is allowed: it reads the cart. The cart itself is checked afterwards.
    if (path === '/cart') expectStatus(answer, 200, 'GET /cart');
    else tries.addRequest(`GET ${path} as ${method} was carried out`, answer, noSuchMethod);
  }
  const cart = expectStatus(await browser.get('/cart'), 200, 'the cart afterwards');
  tries.add('the cart was changed', !/"items":\[\{"sku":"tea","quantity":1\}\]/.test(cart.text), cart);
  return tries.result();
}
