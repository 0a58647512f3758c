import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { markEnded, tryEnded } from '../tools/ended-session.js';
import { buildUnexpected, logInFreshUser, logOut } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const rounds = 3;
const roundsMax = 10;
const slowMs = 400;

const probes = {
  'the token from before': ['careless-accounts'],
  'the cookies of the slow request': ['careless-accounts', 'sealed-without-denylist'],
} as const;

type Probe = keyof typeof probes;

export const logoutInFlight: Attack = {
  title: 'log out while a slow request of the same session is in progress, so that the request restores the session',
  asvs: ['7.4.1'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<Probe>();
  let met = 0;
  for (let round = 0; met < rounds; round++) {
    if (round === roundsMax) throw new Inconclusive(`the logout came too early ${round - met} times of ${roundsMax}`);
    if (await tryOnce(target, tries)) met += 1;
  }
  return tries.result();
}

/** Returns false when the slow request opened its session after the logout: that round proves nothing. */
async function tryOnce(target: Target, tries: Tries<Probe>): Promise<boolean> {
  const { user, browser } = await logInFreshUser(target);
  const [before, slow] = [browser.copy(), browser.copy()];
  const answered = slow.post(`/cart?delayMs=${slowMs}`, { sku: 'late' });
  await logOut(await waitUntilInProgress(browser));
  const ended = markEnded(target, user);
  if (!hadSession(await answered)) return false;
  const old = tries.of('the token from before');
  await tryEnded(old, 'the token from before the logout was accepted after a slow request had ended', before, ended);
  if (slow.cookies.size > 0)
    await tryEnded(
      tries.of('the cookies of the slow request'),
      'the cookies of a slow request were accepted after the logout',
      slow,
      ended,
    );
  for (const { name, url } of target.backends)
    await tryEnded(old, `${name} accepted the token after a slow request had ended`, before.copy(url), ended);
  return true;
}

/** Waits for one exchange: the request sent before it has then most likely arrived. `hadSession` verifies that. */
async function waitUntilInProgress(browser: AttackBrowser): Promise<AttackBrowser> {
  await browser.get('/me');
  return browser;
}

/** Returns whether the request had opened its session: it wrote, or its write found that the session had ended. */
function hadSession(answer: BrowserAnswer): boolean {
  if (answer.status === 201) return true;
  if (answer.status === 401) return answer.json.why === 'session-gone';
  throw buildUnexpected(answer, 'the slow request', '201 or 401');
}
