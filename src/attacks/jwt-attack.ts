import { type AttackResult, notApplicable, Tries } from './attack.js';
import { Inconclusive } from './errors.js';
import { cookieOf, type Forgery, genuine, readToken, type Wish, wishFor } from './forge-jwt.js';
import { expectStatus, loggedIn, userOf } from './shop.js';
import type { Target } from './target.js';

/** What a forger starts from: the own genuine token, and a victim whose name is known. */
export interface Forge {
  readonly header: Readonly<Record<string, unknown>>;
  readonly ownSignature: string;
  readonly ownCookie: string;
  readonly wish: Wish;
  readonly victim: string;
}

/**
 * Tries every cookie that `forgeries` makes on GET /me. First it is shown that the forger's craft is good: the same claims
 * under the shop's own key are taken for the victim, so that whatever else is refused is refused for what is wrong with it.
 */
export async function tryForgeries(
  target: Target,
  forgeries: (forge: Forge) => Promise<readonly Forgery[]> | readonly Forgery[],
): Promise<AttackResult> {
  if (target.strategy !== 'jwt') return notApplicable('the session cookie is no signed token');
  const forge = await forgeFor(target);
  const sound = cookieOf(forge.header, forge.wish, genuine(await target.keyRing()));
  if ((await namedBy(target, sound)).user !== forge.victim)
    throw new Inconclusive(
      'the same claims under the genuine key are not accepted: the forger does not know his craft',
    );
  const tries = new Tries();
  for (const { what, token } of await forgeries(forge)) {
    const { user, answer } = await namedBy(target, token);
    tries.add(`${what}: taken for ${user}`, user !== undefined, answer);
  }
  return tries.result();
}

async function forgeFor(target: Target): Promise<Forge> {
  const { browser } = await loggedIn(target);
  const victim = target.freshUser();
  const own = readToken(browser.token);
  if (own === undefined) throw new Inconclusive('the session cookie of mode jwt holds no signed token');
  const { header, claims, signature } = own;
  return { header, ownSignature: signature, ownCookie: browser.token, wish: wishFor(victim, claims), victim };
}

async function namedBy(target: Target, cookie: string) {
  const answer = await target.browser().thief(cookie).get('/me');
  return { user: userOf(answer), answer: expectStatus(answer, 200, 'GET /me') };
}
