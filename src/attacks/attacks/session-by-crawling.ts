import { type Attack, Tries } from '../attack.js';
import { sessionCookie, sessionIn } from '../tools/browser.js';
import { randomToken } from '../tools/forge-jwt.js';
import { listShopPaths, logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'without a cookie': ['careless-shop'],
  'with an unknown cookie': ['careless-shop'],
} as const;

/** A read begins no session: a crawler or a link preview must not fill the store, and no token must be planted. */
export const sessionByCrawling: Attack = {
  title: 'get a session by reading every page without a login, with no cookie and with an unknown one',
  asvs: ['7.6.2'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  await logInFreshUser(target);
  for (const path of ['/no-such-path', ...(await listShopPaths(target.browser()))]) {
    for (const method of ['GET', 'HEAD']) {
      for (const planted of [undefined, randomToken()]) {
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
