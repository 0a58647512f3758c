import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { endedNow, tryEnded } from '../tools/ended-session.js';
import { loggedIn, logOut, unexpected } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const rounds = 3;
const roundsMax = 10;
const slowMs = 400;

export const logoutInFlight: Attack = {
  title: 'log out while a slow request of the same session is under way, and let that bring the session back',
  asvs: ['7.4.1'],
  weak: ['blind-overwrite'],
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  let met = 0;
  for (let round = 0; met < rounds; round++) {
    if (round === roundsMax) throw new Inconclusive(`the logout came too early ${round - met} times of ${roundsMax}`);
    if (await tryOnce(target, tries)) met += 1;
  }
  return tries.result();
}

/** False when the slow request had not yet opened its session when the logout was done: that proves nothing. */
async function tryOnce(target: Target, tries: Tries): Promise<boolean> {
  const { user, browser } = await loggedIn(target);
  const [before, slow] = [browser.copy(), browser.copy()];
  const answered = slow.post(`/cart?delayMs=${slowMs}`, { sku: 'late' });
  await logOut(await underWay(browser));
  const ended = endedNow(target, user);
  if (!hadSession(await answered)) return false;
  await tryEnded(tries, 'the token from before the logout was honoured after a slow request had ended', before, ended);
  if (slow.cookies.size > 0)
    await tryEnded(tries, 'what a slow request brought back was honoured after the logout', slow, ended);
  for (const { name, url } of target.backends)
    await tryEnded(tries, `${name} honoured the token after a slow request had ended`, before.copy(url), ended);
  return true;
}

/** One exchange later the request before it has most likely arrived; `hadSession` says whether it had. */
async function underWay(browser: AttackBrowser): Promise<AttackBrowser> {
  await browser.get('/me');
  return browser;
}

/** It wrote, or it learned on writing that the session had ended: either way it had been let in. */
function hadSession(answer: BrowserAnswer): boolean {
  if (answer.status === 201) return true;
  if (answer.status === 401) return answer.json.why === 'session-gone';
  throw unexpected(answer, 'the slow request', '201 or 401');
}
