import { type Attack, type ProbeTries, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { markEnded, tryEndedEverywhere } from '../tools/ended-session.js';
import { isHonoured, logInBrowsers, logInFreshUser, sendAsAdministrator } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/** Number of sessions of the user. */
const sessions = 3;
/** Number of users whose sessions the administrator ends at once. */
const users = 4;

export const endedByAdministrator: Attack = {
  title: 'use the sessions of a user after the administrator ended them',
  asvs: ['7.4.5'],
  probes: { 'a session of the user': ['unended-sessions'] },
  run: tryAfterEnd,
};

async function tryAfterEnd(target: Target) {
  const tries = new Tries();
  const probe = tries.of('a session of the user');
  const bystander = await logInFreshUser(target);
  const user = target.freshUser();
  const browsers = await logInBrowsers(target, user, sessions);
  await sendAsAdministrator(target, '/admin/end-sessions', { user });
  const ended = markEnded(target, user);
  for (const browser of browsers)
    await tryEndedEverywhere(target, probe, 'after the administrator ended it', browser, ended);
  if (!(await isHonoured(bystander.browser, bystander.user)))
    throw new Inconclusive('the session of another user was ended too');
  return tries.result();
}

const disabledProbes = {
  'a session of the user': ['unended-sessions'],
  'a login of the user': ['unended-sessions'],
  'a session of a deleted user': ['unended-sessions'],
} as const;

export const disabledUser: Attack = {
  title: 'use the sessions of a user after the administrator disabled or deleted the user, or log in again',
  asvs: ['7.4.2'],
  probes: disabledProbes,
  run: tryAfterDisabling,
};

async function tryAfterDisabling(target: Target) {
  const tries = new Tries<keyof typeof disabledProbes>();
  const user = await tryEndedBy(target, '/admin/disable', tries.of('a session of the user'));
  const again = await target.browser().post('/login', { user, password: target.password });
  tries.of('a login of the user').addRequest('a disabled user could log in', again, 401);
  await tryEndedBy(target, '/admin/delete', tries.of('a session of a deleted user'));
  return tries.result();
}

async function tryEndedBy(target: Target, path: string, tries: ProbeTries): Promise<string> {
  const user = target.freshUser();
  const browsers = await logInBrowsers(target, user, sessions);
  await sendAsAdministrator(target, path, { user });
  const ended = markEnded(target, user);
  for (const browser of browsers) await tryEndedEverywhere(target, tries, `after POST ${path}`, browser, ended);
  return user;
}

export const everyoneEnded: Attack = {
  title: "use any session after the administrator ended everyone's sessions",
  asvs: ['7.4.5'],
  probes: { 'any session': ['unended-sessions'] },
  alone: true,
  run: tryAfterEndOfAll,
};

async function tryAfterEndOfAll(target: Target) {
  const tries = new Tries();
  const members = await Promise.all(Array.from({ length: users }, () => logInFreshUser(target)));
  await sendAsAdministrator(target, '/admin/end-everyone', {});
  const ended = members.map(({ user, browser }) => ({ browser, ...markEnded(target, user) }));
  for (const { browser, ...each } of ended)
    await tryEndedEverywhere(target, tries.of('any session'), "after everyone's sessions were ended", browser, each);
  // A new login must work: a system that refuses every user has not ended sessions.
  await logInFreshUser(target);
  return tries.result();
}
