import { randomBytes } from 'node:crypto';
import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { type AttackBrowser, preLoginCookie, sessionCookie } from '../tools/browser.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { enrolUser, preLoginOf } from '../tools/second-factor.js';
import { expectStatus, isHonoured, logIn, logInFreshUser, reauthenticate, userOf } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const probes = {
  'an invented id': ['trusting-sticky'],
  "the attacker's own token": ['trusting-sticky'],
  'the cookies of a visit': ['trusting-sticky'],
  'a second login': ['trusting-sticky'],
  'a fresh authentication': ['trusting-sticky'],
  'without the code': ['lenient-shop'],
  'after the code': ['lenient-shop'],
} as const;

type Probe = keyof typeof probes;

export const fixation: Attack = {
  title: 'plant a token before the login, or reuse a token from before a login, a code or a fresh authentication',
  asvs: ['7.2.4'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<Probe>();
  await tryPlanted(target, tries, 'an invented id', async browser => {
    browser.cookies.set(sessionCookie, randomBytes(32).toString('base64url'));
  });
  await tryPlanted(target, tries, "the attacker's own token", browser =>
    logIn(browser, target.freshUser(), target.password),
  );
  await tryPlanted(target, tries, 'the cookies of a visit', async browser => {
    await browser.get('/');
    await browser.get('/cart');
  });
  await tryKept(target, tries, 'a second login', ({ user, browser }) => logIn(browser, user, target.password));
  await tryKept(target, tries, 'a fresh authentication', ({ browser }) => reauthenticate(browser, target.password));
  await tryHalfLoggedIn(target, tries);
  return tries.result();
}

/** The attacker plants cookies in a browser and keeps a copy of them. Then the victim logs in with that browser. */
async function tryPlanted(
  target: Target,
  tries: Tries<Probe>,
  what: Probe,
  plant: (browser: AttackBrowser) => Promise<unknown>,
) {
  const browser = target.browser();
  // The copy includes the affinity cookie, so the same backend serves both browsers.
  await browser.get('/me');
  await plant(browser);
  const attacker = browser.copy();
  const victim = target.freshUser();
  await logIn(browser, victim, target.password);
  for (const origin of originsOf(target)) {
    const answer = await attacker.copy(origin).get('/me');
    const isOpen = userOf(answer) === victim;
    tries.of(what).add(`${what}, planted before the login, opened the session afterwards`, isOpen, answer);
  }
}

/** Uses the token from before a step that replaces it. The mode may still accept it for its stated lag. */
async function tryKept(
  target: Target,
  tries: Tries<Probe>,
  step: Probe,
  renew: (member: Awaited<ReturnType<typeof logInFreshUser>>) => Promise<unknown>,
) {
  const member = await logInFreshUser(target);
  const kept = member.browser.copy();
  await renew(member);
  const ended = markEnded(target, member.user);
  await tryEndedEverywhere(target, tries.of(step), `with the token from before ${step}`, kept, ended);
}

/**
 * Uses the cookies that a browser holds between password and code. They must open no session, before or after the code.
 */
async function tryHalfLoggedIn(target: Target, tries: Tries<Probe>): Promise<void> {
  const { user, code, usedStep } = await enrolUser(target);
  const browser = await preLoginOf(target, user);
  const [kept, asSession] = [browser.copy(), browser.copy()];
  const preLogin = browser.cookies.get(preLoginCookie);
  if (preLogin === undefined) throw new Inconclusive('the password gave no cookie for the step of the code');
  asSession.cookies.set(sessionCookie, preLogin);
  const tryBoth = async (when: Probe) => {
    for (const [what, thief] of Object.entries({
      'the cookies': kept,
      'the pre-login token as a session': asSession,
    })) {
      const answer = await thief.copy().get('/me');
      tries.of(when).add(`${what} from before the code opened the session ${when}`, userOf(answer) === user, answer);
    }
  };
  await tryBoth('without the code');
  expectStatus(await browser.post('/login/totp', { code: code(usedStep + 1) }), 200, 'the code');
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the honest user is not logged in after the code');
  await tryBoth('after the code');
}
