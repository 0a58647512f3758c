import { type Attack, Tries } from '../attack.js';
import { listCrossSiteRequests, refusals } from '../tools/cross-site.js';
import { enrolUser, preLoginOf } from '../tools/second-factor.js';
import { expectStatus } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'a login': ['careless-shop'],
  'a password before a code': ['careless-shop'],
  'a one-time code': ['careless-shop'],
} as const;

/** The browser of the victim is logged in as the attacker. The attacker then reads what the victim enters. */
export const loginCsrf: Attack = {
  title: "log a visitor in under the attacker's name from a page of another site, with and without a second factor",
  asvs: ['3.5.1'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  const { host, origin } = new URL(target.proxyUrl);
  const login = { user: target.freshUser(), password: target.password };
  const own = await target.browser().post('/login', login, { headers: { origin, 'sec-fetch-site': 'same-origin' } });
  expectStatus(own, 200, 'a login from a page of the shop itself');
  const names = ['a login', 'a password before a code', 'a one-time code'] as const;
  const attacker = await enrolUser(target);
  const halfway = await preLoginOf(target, attacker.user);
  const code = attacker.code(attacker.usedStep + 1);
  for (const { what, headers } of listCrossSiteRequests(host)) {
    if (names.every(name => tries.of(name).hasSucceeded)) break;
    const whole = await target.browser().post('/login', login, { headers });
    tries.of('a login').addRequest(`${what}: the login was accepted`, whole, ...refusals);
    const first = await target.browser().post('/login', { ...login, user: attacker.user }, { headers });
    tries.of('a password before a code').addRequest(`${what}: the password was accepted`, first, ...refusals);
    const second = await halfway.copy().post('/login/totp', { code }, { headers });
    tries.of('a one-time code').addRequest(`${what}: the one-time code was accepted`, second, ...refusals);
  }
  return tries.result();
}
