import { type AttackResult, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { Forgery } from './forge-jwt.js';
import { expectStatus, userOf } from './shop.js';
import type { Target } from './target.js';

/** Sends a token to GET /me. Resolves with the answer and the user that it names. */
export async function fetchUser(target: Target, token: string, origin?: string) {
  const answer = await target.browser(origin).thief(token).get('/me');
  return { user: userOf(answer), answer: expectStatus(answer, 200, 'GET /me') };
}

/**
 * Shows that forged content is right: made with the genuine key, it is accepted as the victim. So every refusal of a
 * forgery is due to what is wrong with it. Rejects with `Inconclusive`.
 */
export async function proveContent(target: Target, sound: string, victim: string): Promise<void> {
  if ((await fetchUser(target, sound)).user === victim) return;
  throw new Inconclusive(
    'the same content made with the genuine key is not accepted, so the forgeries would prove nothing',
  );
}

/** Sends every forgery. A probe ends with its first success. */
export async function sendForgeries(
  target: Target,
  forgeries: readonly Forgery[],
  tries = new Tries(),
): Promise<AttackResult> {
  for (const { probe, what, token } of forgeries) {
    if (tries.of(probe).hasSucceeded) continue;
    const { user, answer } = await fetchUser(target, token);
    tries.of(probe).add(`${what}: accepted as ${user}`, user !== undefined, answer);
  }
  return tries.result();
}
