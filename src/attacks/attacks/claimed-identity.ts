import { type Attack, Tries } from '../attack.js';
import { type AttackBrowser, sessionCookie } from '../tools/browser.js';
import { type LoggedInUser, logInFreshUser, reauthenticate } from '../tools/shop.js';
import { originsOf, type Target } from '../tools/target.js';

const probes = {
  'a header': ['careless-shop'],
  'the other cookies of the victim': ['careless-shop'],
} as const;

type Probe = keyof typeof probes;

/** Only the token identifies a user: neither a header that a proxy might have set nor the backend does. */
export const claimedIdentity: Attack = {
  title: "act as another user: by a header that proxies set, or with one's own token and the victim's other cookies",
  asvs: ['7.2.1'],
  probes,
  run,
};

const headerNames = [
  'x-user',
  'x-username',
  'x-user-id',
  'x-forwarded-user',
  'x-forwarded-preferred-username',
  'x-auth-user',
  'x-auth-request-user',
  'x-authenticated-user',
  'x-authenticated-userid',
  'x-remote-user',
  'remote-user',
  'x-real-user',
  'x-original-user',
  'x-webauth-user',
  'x-session',
  'x-session-user',
  'x-consumer-username',
  'x-ms-client-principal-name',
  'cf-access-authenticated-user-email',
  'from',
  'authorization',
  'session',
  'user',
];

async function run(target: Target) {
  const tries = new Tries<Probe>();
  const victim = await logInFreshUser(target);
  // Leaves the cookie of a known browser with the victim, beside the one for the affinity.
  await reauthenticate(victim.browser, target.password);
  const attacker = await logInFreshUser(target);
  for (const origin of originsOf(target)) {
    for (const browser of [target.browser(origin), attacker.browser.copy(origin)])
      await tryHeaders(tries, browser, victim.user);
  }
  await tryOtherCookies(tries, attacker.browser, victim);
  return tries.result();
}

async function tryHeaders(tries: Tries<Probe>, browser: AttackBrowser, user: string): Promise<void> {
  for (const name of headerNames) {
    if (tries.of('a header').hasSucceeded) return;
    const value = name === 'authorization' ? `Bearer ${user}` : user;
    const answer = await browser.copy().get('/me', { headers: { [name]: value } });
    tries.of('a header').add(`the header ${name} was accepted as proof of ${user}`, answer.json.user === user, answer);
  }
}

/** Sends the session of the attacker with all other cookies of the victim. */
async function tryOtherCookies(tries: Tries<Probe>, attacker: AttackBrowser, victim: LoggedInUser): Promise<void> {
  const others = [...victim.browser.cookies].filter(([name]) => name !== sessionCookie);
  for (const path of ['/me', '/cart', '/account']) {
    const mixed = attacker.copy();
    for (const [name, value] of others) mixed.cookies.set(name, value);
    const answer = await mixed.get(path);
    const isVictim = answer.json.user === victim.user;
    tries
      .of('the other cookies of the victim')
      .add(`${path} with the other cookies of ${victim.user}`, isVictim, answer);
  }
}
