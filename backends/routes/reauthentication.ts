import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import type { Account } from '../accounts/account.js';
import { changeAccount } from '../accounts/accounts.js';
import { guesserOf, knownBrowserCookie } from '../accounts/browser-cookies.js';
import { type Members, refuseEnded } from '../accounts/members.js';
import { findNonce, keepNonce, newNonce, withNonceSpent } from '../accounts/nonce.js';
import { keepFamily, tryPassword } from '../accounts/password-try.js';
import { withStepUsed } from '../accounts/second-factor.js';
import { type Guesser, withoutTries } from '../accounts/tries.js';
import { type Call, hasField, stringsOf } from '../call.js';
import { json, NotAllowed, WrongCode, WrongLogin } from '../refusal.js';

/** Checks the password again, and the code if there is a second factor. Answers with a fresh token, and a nonce for one
 * change. */
export async function reauthenticate(
  members: Members,
  call: Call,
  context: SessionContext,
  user: string,
): Promise<Reply> {
  const names = hasField(call, 'code') ? ['password', 'code'] : ['password'];
  const [password = '', code = ''] = stringsOf(call, ...names);
  const nowMs = Date.now();
  if (members.passwords.isReserved(user)) throw new NotAllowed(noAdministrator);
  const guesser = guesserOf(members.keys(), user, call, nowMs);
  const accepted = await members.addresses.run(guesser, async () => {
    const account = await tryPassword(members, user, password, guesser);
    if (account === undefined) throw new WrongLogin('wrong password');
    return accept(members, user, account, code, guesser, nowMs);
  });
  const nonce = newNonce(nowMs, accepted);
  await context.rotate(data => {
    keepNonce(data, nonce);
    keepFamily(data, call.agent);
    data.authenticatedAtMs = nowMs;
  });
  return json(
    200,
    { nonce: nonce.nonce, untilMs: nonce.untilMs },
    { 'set-cookie': knownBrowserCookie(members.keys(), user, call, nowMs) },
  );
}

const noAdministrator = 'this name is reserved for an administrator; set SHOP_ADMIN_PASSWORD to have one';

async function accept(
  members: Members,
  user: string,
  was: Account,
  code: string,
  guesser: Guesser,
  nowMs: number,
): Promise<Account> {
  const { accounts, keys } = members;
  const { next } = await changeAccount(accounts, user, account => {
    refuseEnded(account, was.epoch);
    const next = account.totp === null ? account : withStepUsed(account, { user, code, keys: keys(), nowMs });
    if (next === undefined) throw new WrongCode();
    return { next: withoutTries(next, guesser, nowMs), answer: undefined };
  });
  return next;
}

/** Throws `FreshAuthenticationNeeded` without using the nonce up. Call it before expensive work; `spendNonce` checks
 * again. */
export function refuseStaleNonce({ session }: SessionContext, nonce: string): number {
  return findNonce(session?.record.data ?? {}, nonce, Date.now());
}

/** Uses the nonce up and gives the session a fresh token. Of two requests with the same nonce, one is refused. Resolves
 * with the account; the next edit must find the same epoch. */
export async function spendNonce(
  members: Members,
  context: SessionContext,
  user: string,
  nonce: string,
): Promise<Account> {
  const order = refuseStaleNonce(context, nonce);
  const spent = await changeAccount(members.accounts, user, account => {
    return { next: withNonceSpent(account, order), answer: undefined };
  });
  await context.rotate(data => void delete data.nonce);
  return spent.next;
}
