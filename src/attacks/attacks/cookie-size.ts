import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { readSetCookie } from '../tools/browser.js';
import { expectStatus, loggedIn } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/** RFC 6265bis section 5.6: name and value together. A browser may drop a longer one, in silence. */
const cookieBytesMax = 4096;
const skuChars = 64;
const skus = 100;

/**
 * Puts more into a cart than a cookie holds. What does not fit must be refused, and what was said to be in the cart must
 * be there: a change that is acknowledged in a cookie that no browser keeps is lost.
 */
export const cookieSize: Attack = {
  title: 'fill the cart until a cookie is longer than browsers take',
  asvs: ['3.3.5'],
  weak: ['careless-shop'],
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const { browser } = await loggedIn(target);
  let kept = 0;
  for (let number = 0; number < skus; number++) {
    const answer = await browser.post('/cart', { sku: String(number).padStart(skuChars, 'x') });
    if (answer.status === 201) kept += 1;
    else expectStatus(answer, 413, 'what does not fit into the cart');
    const sizes = answer.setCookies.map(readSetCookie).map(({ name, value }) => Buffer.byteLength(name + value));
    const largest = Math.max(0, ...sizes);
    tries.add(`a cookie of ${largest} bytes was set`, largest > cookieBytesMax, answer);
  }
  if (kept === 0) throw new Inconclusive('nothing could be put into the cart at all');
  const cart = expectStatus(await browser.get('/cart'), 200, 'the cart');
  const { items } = cart.json;
  const held = Array.isArray(items) ? items.length : 0;
  tries.add(`${kept} items were acknowledged, and ${held} are there`, held !== kept, cart);
  return tries.result();
}
