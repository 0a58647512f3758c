import { type Attack, notApplicable, Tries } from '../attack.js';
import type { AttackBrowser } from '../tools/browser.js';
import { buildUnexpected, expectStatus, logInFreshUser } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const rounds = 25;
/** With four concurrent edits, five tries of a compare-and-set are enough for each. */
const atOnce = 4;

export const lostEdits: Attack = {
  title: 'change one session from several tabs at once, so that an acknowledged change is lost',
  asvs: [],
  probes: { 'parallel edits': ['careless-accounts'] },
  run: tryParallelEdits,
};

async function tryParallelEdits(target: Target) {
  if (target.strategy !== 'reference')
    return notApplicable('the session is in the cookie: the browser keeps only the last of concurrent answers');
  const { browser } = await logInFreshUser(target);
  const acknowledged: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const skus = Array.from({ length: atOnce }, (_, tab) => `item-${round}-${tab}`);
    const kept = await Promise.all(skus.map(sku => isAcknowledged(browser.copy(), sku)));
    acknowledged.push(...skus.filter((_, tab) => kept[tab]));
  }
  const answer = expectStatus(await browser.get('/cart'), 200, 'GET /cart');
  const tries = new Tries();
  for (const sku of acknowledged)
    tries
      .of('parallel edits')
      .add(`${sku} was acknowledged, but is not in the cart`, !answer.text.includes(`"${sku}"`), answer);
  return tries.result();
}

/** Returns whether the shop acknowledged the item; 409 is a proper refusal. */
async function isAcknowledged(browser: AttackBrowser, sku: string): Promise<boolean> {
  const answer = await browser.post('/cart', { sku });
  if (answer.status === 201 || answer.status === 409) return answer.status === 201;
  throw buildUnexpected(answer, 'POST /cart', '201 or 409');
}

/** A user could spend a voucher, send an older cookie, and have the voucher again. */
export const oldCookie: Attack = {
  title: 'send an older cookie of a session, so that its data is as it was before an acknowledged change',
  asvs: [],
  probes: { 'an older cookie': ['sealed-without-denylist', 'jwt-without-denylist'] },
  knownLimit: {
    strategies: ['jwt', 'sealed'],
    reason:
      'the data of a session is in its cookie, so an older cookie brings older data back until the session ends; ' +
      'keep in a store what must not be rolled back',
  },
  run: tryOlderCookie,
};

async function tryOlderCookie(target: Target) {
  const tries = new Tries();
  const { browser } = await logInFreshUser(target);
  expectStatus(await browser.post('/cart', { sku: 'voucher' }), 201, 'the first item');
  const older = browser.copy();
  expectStatus(await browser.delete('/cart/voucher'), 200, 'its removal');
  const cart = expectStatus(await browser.get('/cart'), 200, 'the cart');
  tries.of('an older cookie').add('an acknowledged removal did not show', cart.text.includes('"voucher"'), cart);
  for (const origin of originsOf(target)) {
    const answer = await older.copy(origin).get('/cart');
    const isBack = answer.status === 200 && answer.text.includes('"voucher"');
    tries.of('an older cookie').add('an older cookie brought a removed item back', isBack, answer);
  }
  return tries.result();
}
