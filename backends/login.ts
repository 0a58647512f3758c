import type { SessionData } from '#src/sessions/session.js';
import type { Reply, Visit } from '#src/sessions/sessions.js';
import type { Account } from './accounts/account.js';
import { isUserName } from './accounts/accounts.js';
import { changeAccount } from './accounts/change-account.js';
import { clearPreLogin, openPreLogin, preLoginToken, readPreLogin, setPreLogin } from './accounts/pre-login.js';
import { withCode } from './accounts/second-factor.js';
import { keepFamily } from './browser-family.js';
import { type Call, stringsOf } from './call.js';
import { type Members, whileStanding } from './members.js';
import { AccountDisabled, WrongCode, WrongLogin } from './refusal.js';
import { json } from './reply.js';

/** password -> session; with a second factor: password -> pre-login token, pre-login token and code -> session */
export async function logIn(members: Members, call: Call, visit: Visit): Promise<Reply> {
  const [user = '', password = ''] = stringsOf(call, 'user', 'password');
  if (!isUserName(user)) throw new WrongLogin();
  const account = await members.accounts.read(user);
  if (!(await members.passwords.isRight(user, account, password))) throw new WrongLogin();
  if (account.disabled) throw new AccountDisabled();
  if (account.totp !== null) return askForCode(members, call, user, account);
  await enter(members, call, visit, user, account);
  return json(200, { user });
}

function askForCode({ keys }: Members, { secure }: Call, user: string, account: Account): Reply {
  const token = preLoginToken(keys(), user, account, Date.now());
  return json(202, { next: 'totp' }, { 'set-cookie': setPreLogin(token, secure) });
}

export async function logInWithCode(members: Members, call: Call, visit: Visit): Promise<Reply> {
  const [code = ''] = stringsOf(call, 'code');
  const { keys, accounts } = members;
  const nowMs = Date.now();
  const preLogin = openPreLogin(keys(), readPreLogin(call.cookies, call.secure), nowMs);
  if (preLogin === undefined) throw new WrongLogin(passwordFirst);
  const { user } = preLogin;
  const { next, answer: isRight } = await changeAccount(accounts, user, account => {
    if (!preLogin.holdsFor(account) || account.totp === null) throw new WrongLogin(passwordFirst);
    return withCode(account, { user, code, keys: keys(), nowMs });
  });
  if (!isRight) throw new WrongCode();
  await enter(members, call, visit, user, next);
  return json(200, { user }, { 'set-cookie': clearPreLogin(call.secure) });
}

const passwordFirst = 'log in with name and password first; the code belongs to the five minutes after that';

function enter(members: Members, call: Call, visit: Visit, user: string, account: Account): Promise<void> {
  const data: SessionData = { cart: [], authenticatedAtMs: Date.now() };
  keepFamily(data, call.agent);
  // In the session, since it was this password that the role was given for.
  if (members.passwords.isAdministrator(user)) data.role = 'administrator';
  return whileStanding(members, user, account, visit, () => visit.begin(user, data));
}

export async function logOut(call: Call, visit: Visit): Promise<Reply> {
  stringsOf(call);
  await visit.end();
  return json(200, { user: null });
}
