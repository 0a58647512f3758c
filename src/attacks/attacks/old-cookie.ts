import { type Attack, Tries } from '../attack.js';
import { expectStatus, logInFreshUser } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

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
  run,
};

async function run(target: Target) {
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
