import type { Reply, SessionContext } from '#src/sessions/request-session.js';
import {
  type Account,
  changeAccount,
  endLogins,
  freshAccount,
  refuseEnded,
  withNextEpoch,
} from '../accounts/accounts.js';
import { requireFitPassword } from '../accounts/passwords.js';
import { buildEnrolment, newSecret, withConfirmed, withPending } from '../accounts/second-factor.js';
import { guesserOf } from '../accounts/tries.js';
import { type Call, requireUserName, stringsOf } from '../call.js';
import { json, NoSuchSession, NotAllowed, NotUnderstood, WrongCode } from '../refusal.js';
import { refuseStaleNonce, spendNonce } from './authentication.js';
import type { Members } from './route.js';

/* The routes of an account: first those of its own user, then those of the administrator. */

export async function showAccount(members: Members, context: SessionContext, user: string): Promise<Reply> {
  const { totp } = await members.accounts.read(user);
  const authenticatedAtMs = context.session?.record.data.authenticatedAtMs ?? null;
  return json(200, { user, role: roleOf(members, context), totp: totp !== null, authenticatedAtMs });
}

export async function listSessions({ sessions }: Members, context: SessionContext, user: string): Promise<Reply> {
  const listed = await sessions.list(user);
  const lines = listed.map(({ handle, createdAtMs, idleUntilMs, client }) => {
    return { handle, createdAtMs, idleUntilMs, ...client, current: handle === context.handle };
  });
  return json(200, { sessions: lines });
}

/** Ends one session. It needs a nonce, as all routes that end other sessions do. Otherwise a thief of one cookie could
 * log the owner out everywhere else. Only the end of the present session needs none. */
export async function endSession(members: Members, call: Call, context: SessionContext, user: string): Promise<Reply> {
  const [nonce = '', handle = ''] = stringsOf(call, 'nonce', 'handle');
  if (handle === context.handle) {
    await context.end();
  } else {
    await spendNonce(members, context, user, nonce);
    if (!(await members.sessions.endOne(user, handle))) throw new NoSuchSession();
  }
  return json(200, { ended: handle });
}

export async function endOthers(members: Members, call: Call, context: SessionContext, user: string): Promise<Reply> {
  const [nonce = ''] = stringsOf(call, 'nonce');
  await spendNonce(members, context, user, nonce);
  await endLogins(members.accounts, user);
  return json(200, { ended: await context.endOthers() });
}

export async function logOutEverywhere(
  members: Members,
  call: Call,
  context: SessionContext,
  user: string,
): Promise<Reply> {
  const [nonce = ''] = stringsOf(call, 'nonce');
  await spendNonce(members, context, user, nonce);
  const ended = await endSessions(members, user);
  await context.end();
  return json(200, { ended });
}

export async function changePassword(
  members: Members,
  call: Call,
  context: SessionContext,
  user: string,
): Promise<Reply> {
  const [nonce = '', text = '', others = ''] = stringsOf(call, 'nonce', 'password', 'others');
  requireOthers(others);
  const chosen = requireFitPassword(user, text);
  refuseStaleNonce(context, nonce);
  const password = await members.passwords.hash(user, chosen);
  const was = await spendNonce(members, context, user, nonce);
  await changeOwn(members, user, was, account => withNextEpoch({ ...account, password }));
  return json(200, { ended: await endOthersIf(others, context) });
}

function requireOthers(others: string): void {
  if (others !== 'end' && others !== 'keep') throw new NotUnderstood('expected others to be "end" or "keep"');
}

/** Ends the other sessions if the user chose that. Resolves with their number. */
async function endOthersIf(others: string, context: SessionContext): Promise<number> {
  return others === 'end' ? context.endOthers() : 0;
}

export async function beginTotp(members: Members, call: Call, context: SessionContext, user: string): Promise<Reply> {
  const [nonce = ''] = stringsOf(call, 'nonce');
  const was = await spendNonce(members, context, user, nonce);
  const secret = newSecret();
  const sealing = { user, keys: members.keys(), nowMs: Date.now() };
  await changeOwn(members, user, was, account => withPending(account, sealing, secret));
  return json(201, await buildEnrolment(user, secret));
}

/** Confirms the second factor. This sensitive route needs no nonce: the enrolment needed one, and only a client that
 * saw its secret has the code. */
export async function confirmTotp(members: Members, call: Call, context: SessionContext, user: string): Promise<Reply> {
  const [code = '', others = ''] = stringsOf(call, 'code', 'others');
  requireOthers(others);
  const [keys, nowMs] = [members.keys(), Date.now()];
  const attempt = { user, code, from: guesserOf(keys, user, call, nowMs), keys, nowMs };
  const edit = (account: Account) => withConfirmed(account, attempt);
  const { answer: isRight } = await changeAccount(members.accounts, user, edit);
  if (!isRight) throw new WrongCode();
  await context.rotate();
  return json(200, { totp: true, ended: await endOthersIf(others, context) });
}

export async function removeTotp(members: Members, call: Call, context: SessionContext, user: string): Promise<Reply> {
  const [nonce = '', others = ''] = stringsOf(call, 'nonce', 'others');
  requireOthers(others);
  const was = await spendNonce(members, context, user, nonce);
  await changeOwn(members, user, was, account => withNextEpoch({ ...account, totp: null, pendingTotp: null }));
  return json(200, { totp: false, ended: await endOthersIf(others, context) });
}

/** Changes the account of the user of this session. Throws if its sessions were ended since `was`. */
async function changeOwn(members: Members, user: string, was: Account, edit: (account: Account) => Account) {
  await changeAccount(members.accounts, user, account => {
    refuseEnded(account, was.epoch);
    return { next: edit(account), answer: undefined };
  });
}

/** Ends the sessions of the user. Also ends logins in progress. */
async function endSessions(members: Members, user: string): Promise<number> {
  await endLogins(members.accounts, user);
  return members.sessions.endAll(user);
}

type Role = 'user' | 'administrator';

/** Returns `administrator` only for a session that began with the administrator's password, and only while there is
 * one. */
function roleOf({ passwords }: Members, { session }: SessionContext): Role {
  const given = session?.record.data.role === 'administrator';
  return given && passwords.isAdministrator(session.record.user) ? 'administrator' : 'user';
}

type AdministratorRoute = (
  members: Members,
  call: Call,
  context: SessionContext,
  administrator: string,
) => Promise<Reply>;

/**
 * Makes a route by which the administrator changes a user. `refusal`: why the administrator cannot do this to their own
 * account; then the nonce is not spent.
 */
function makeUserRoute(
  change: (members: Members, user: string, context: SessionContext, administrator: string) => Promise<object>,
  refusal?: string,
): AdministratorRoute {
  return async (members, call, context, administrator) => {
    const { user, nonce } = requireUserAndNonce(members, call, context);
    if (user === administrator && refusal !== undefined) throw new NotAllowed(refusal);
    await spendNonce(members, context, administrator, nonce);
    return json(200, await change(members, user, context, administrator));
  };
}

export const disable = makeUserRoute(async (members, user) => {
  await changeOther(members, user, account => withNextEpoch({ ...account, disabled: true }));
  return { user, ended: await members.sessions.endAll(user) };
}, 'no user could enable the administrator again');

/** Enables a user and ends all waits: the user asked because they could not log in. */
export const enable = makeUserRoute(async (members, user) => {
  await changeOther(members, user, account => ({ ...account, disabled: false, wrongTries: {} }));
  return { user };
});

/** Deletes the account: its password, its second factor and its sessions. The name is free again then. The version, the
 * epoch and the spent nonces are kept, so that no older save, login or nonce becomes valid. */
export const deleteUser = makeUserRoute(async (members, user) => {
  await changeOther(members, user, ({ version, epoch, nonceSpentUntilMs }) =>
    withNextEpoch({ ...freshAccount, version, epoch, nonceSpentUntilMs }),
  );
  return { user, ended: await members.sessions.endAll(user) };
}, 'the account of the administrator cannot be deleted');

export const endSessionsOf = makeUserRoute(async (members, user, context, administrator) => {
  const ended = await endSessions(members, user);
  if (user === administrator) await context.end();
  return { ended };
});

/** Ends all sessions. The session of a concurrent login may survive, as if the login had come a moment later. */
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

/** Changes the account of any user, for the administrator. */
async function changeOther({ accounts }: Members, user: string, edit: (account: Account) => Account): Promise<void> {
  await changeAccount(accounts, user, account => ({ next: edit(account), answer: undefined }));
}
