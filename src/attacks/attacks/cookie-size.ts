import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { cookieBytesMax, readSetCookie } from '../tools/browser.js';
import { expectStatus, logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const skuChars = 64;
const skus = 100;

const probes = {
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
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
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
