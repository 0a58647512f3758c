import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import { type Account, freshAccount } from '../accounts/account.js';
import { changeAccount } from '../accounts/accounts.js';
import { endSessions, type Members, withNextEpoch } from '../accounts/members.js';
import { type Call, requireUserName, stringsOf } from '../call.js';
import { json, NotAllowed } from '../refusal.js';
import { spendNonce } from './reauthentication.js';

export type Role = 'user' | 'administrator';

/** Returns `administrator` only for a session that began with the administrator's password, and only while there is
 * one. */
export function roleOf({ passwords }: Members, { session }: SessionContext): Role {
  const given = session?.record.data.role === 'administrator';
  return given && passwords.isAdministrator(session.record.user) ? 'administrator' : 'user';
}

export async function disable(
  members: Members,
  call: Call,
  context: SessionContext,
  administrator: string,
): Promise<Reply> {
  const { user, nonce } = requireUserAndNonce(members, call, context);
  if (user === administrator) throw new NotAllowed('no user could enable the administrator again');
  await spendNonce(members, context, administrator, nonce);
  await change(members, user, account => withNextEpoch({ ...account, disabled: true }));
  return json(200, { user, ended: await members.sessions.endAll(user) });
}

/** Enables a user and ends all waits: the user asked because they could not log in. */
export async function enable(
  members: Members,
  call: Call,
  context: SessionContext,
  administrator: string,
): Promise<Reply> {
  const { user, nonce } = requireUserAndNonce(members, call, context);
  await spendNonce(members, context, administrator, nonce);
  await change(members, user, account => ({ ...account, disabled: false, wrongTries: {} }));
  return json(200, { user });
}

/** Deletes the account: its password, its second factor and its sessions. The name is free again then. The version, the
 * epoch and the spent nonces are kept, so that no older save, login or nonce becomes valid. */
export async function deleteUser(
  members: Members,
  call: Call,
  context: SessionContext,
  administrator: string,
): Promise<Reply> {
  const { user, nonce } = requireUserAndNonce(members, call, context);
  if (user === administrator) throw new NotAllowed('the account of the administrator cannot be deleted');
  await spendNonce(members, context, administrator, nonce);
  await change(members, user, ({ version, epoch, nonceSpentUntilMs }) =>
    withNextEpoch({ ...freshAccount, version, epoch, nonceSpentUntilMs }),
  );
  return json(200, { user, ended: await members.sessions.endAll(user) });
}

export async function endSessionsOf(
  members: Members,
  call: Call,
  context: SessionContext,
  administrator: string,
): Promise<Reply> {
  const { user, nonce } = requireUserAndNonce(members, call, context);
  await spendNonce(members, context, administrator, nonce);
  const ended = await endSessions(members, user);
  if (user === administrator) await context.end();
  return json(200, { ended });
}

/** Ends all sessions. A login at the same time may come after it, like one a moment later. */
export async function endEveryone(
  members: Members,
  call: Call,
  context: SessionContext,
  administrator: string,
): Promise<Reply> {
  refuseOthers(members, context);
  const [nonce = ''] = stringsOf(call, 'nonce');
  await spendNonce(members, context, administrator, nonce);
  await members.sessions.endEveryone();
  await context.end();
  return json(200, {});
}

/** Returns the user that the request names, after checking that an administrator sent it. */
function requireUserAndNonce(
  members: Members,
  call: Call,
  context: SessionContext,
): { readonly user: string; readonly nonce: string } {
  refuseOthers(members, context);
  const [user = '', nonce = ''] = stringsOf(call, 'user', 'nonce');
  return { user: requireUserName(user), nonce };
}

function refuseOthers(members: Members, context: SessionContext): void {
  if (roleOf(members, context) !== 'administrator') throw new NotAllowed();
}

async function change({ accounts }: Members, user: string, edit: (account: Account) => Account): Promise<void> {
  await changeAccount(accounts, user, account => ({ next: edit(account), answer: undefined }));
}
