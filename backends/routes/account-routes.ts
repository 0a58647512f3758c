import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import type { Account } from '../accounts/account.js';
import { changeAccount } from '../accounts/accounts.js';
import { guesserOf } from '../accounts/browser-cookies.js';
import { endLogins, endSessions, type Members, refuseEnded, withNextEpoch } from '../accounts/members.js';
import { requireFitPassword } from '../accounts/passwords.js';
import { buildEnrolment, newSecret, withConfirmed, withPending } from '../accounts/second-factor.js';
import { type Call, stringsOf } from '../call.js';
import { json, NoSuchSession, NotUnderstood, WrongCode } from '../refusal.js';
import { roleOf } from './admin-routes.js';
import { refuseStaleNonce, spendNonce } from './reauthentication.js';

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
  await endLogins(members, user);
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
  await change(members, user, was, account => withNextEpoch({ ...account, password }));
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
  await change(members, user, was, account => withPending(account, sealing, secret));
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
  await change(members, user, was, account => withNextEpoch({ ...account, totp: null, pendingTotp: null }));
  return json(200, { totp: false, ended: await endOthersIf(others, context) });
}

async function change(members: Members, user: string, was: Account, edit: (account: Account) => Account) {
  await changeAccount(members.accounts, user, account => {
    refuseEnded(account, was.epoch);
    return { next: edit(account), answer: undefined };
  });
}
