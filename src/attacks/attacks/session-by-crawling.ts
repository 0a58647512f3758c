import { type Attack, Tries } from '../attack.js';
import { sessionCookie, sessionIn } from '../tools/browser.js';
import { randomToken } from '../tools/forge-jwt.js';
import { loggedIn, shopPaths } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/** Whoever only looks has no session: a crawler or the preview of a link must not fill the store, nor plant a token. */
export const sessionByCrawling: Attack = {
  title: 'look at every page without logging in, with no cookie and with an unknown one, and be given a session',
  asvs: ['7.6.2'],
  weak: ['careless-shop'],
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  await loggedIn(target);
  for (const path of ['/no-such-path', ...(await shopPaths(target.browser()))]) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      for (const planted of [undefined, randomToken()]) {
        const browser = target.browser();
        if (planted !== undefined) browser.cookies.set(sessionCookie, planted);
        const answer = await browser.send(method, path);
        tries.add(`${method} ${path} began a session`, sessionIn(answer) !== undefined, answer);
      }
    }
  }
  return tries.result();
}
