import { hash, randomBytes } from 'node:crypto';
import type { Reply, SessionContext } from '#src/sessions/request-session.js';
import { seal, unseal } from '#src/sessions/seal.js';
import type { SessionData } from '#src/sessions/session.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { type Account, changeAccount, refuseEnded } from '../accounts/accounts.js';
import { tryPassword } from '../accounts/passwords.js';
import { withCode, withStepUsed } from '../accounts/second-factor.js';
import { type Guesser, guesserOf, knownBrowserCookie, withoutTries, withTryBack } from '../accounts/tries.js';
import { type Call, hasField, keepFamily, requireUserName, SmallCookie, stringsOf } from '../call.js';
import { FreshAuthenticationNeeded, json, NotAllowed, WrongCode, WrongLogin } from '../refusal.js';
import type { Members } from './route.js';

/** Logs a user in: password -> session. With a second factor: password -> pre-login token, pre-login token and code ->
 * session. */
export async function logIn(members: Members, call: Call, context: SessionContext): Promise<Reply> {
  const [name = '', password = ''] = stringsOf(call, 'user', 'password');
  const user = requireUserName(name);
  const guesser = guesserOf(members.keys(), user, call, Date.now());
  const account = await members.addresses.run(guesser, () => provePassword(members, user, password, guesser));
  if (account.totp !== null) return askForCode(members, call, user, account);
  return beginSession(members, call, context, user, account);
}

async function provePassword(members: Members, user: string, password: string, guesser: Guesser): Promise<Account> {
  const found = await members.accounts.read(user);
  if (await isRightCommonPassword(members, user, found, password)) return found;
  const account = await tryPassword(members, user, password, guesser);
  // Answered like a wrong password, and the try stays counted: the client must not learn that the password was right.
  if (account === undefined || account.disabled) throw new WrongLogin();
  await settleTries(members, user, account, guesser);
  return account;
}

/** True for the common password of an account without wrong tries. It is the usual login of a load test, so it saves
 * nothing. Every other login counts a try first. */
async function isRightCommonPassword({ passwords }: Members, user: string, account: Account, password: string) {
  const isUsual = !passwords.isOwn(user, account) && !account.disabled && Object.keys(account.wrongTries).length === 0;
  return isUsual && passwords.isRight(user, account, password);
}

/** Resets the tries after a right password. With a second factor it takes back only its own try, because wrong codes
 * are counted too: the password is only half of a login. */
async function settleTries({ accounts }: Members, user: string, was: Account, guesser: Guesser): Promise<void> {
  const nowMs = Date.now();
  await changeAccount(accounts, user, account => {
    refuseEnded(account, was.epoch);
    const settled = account.totp === null ? withoutTries : withTryBack;
    return { next: settled(account, guesser, nowMs), answer: undefined };
  });
}

function askForCode({ keys }: Members, { secure }: Call, user: string, account: Account): Reply {
  const token = preLoginToken(keys(), user, account, Date.now());
  return json(202, { next: 'totp' }, { 'set-cookie': preLoginCookie.set(token, secure) });
}

export async function logInWithCode(members: Members, call: Call, context: SessionContext): Promise<Reply> {
  const [code = ''] = stringsOf(call, 'code');
  const { keys, accounts, addresses } = members;
  const nowMs = Date.now();
  const preLogin = openPreLogin(keys(), preLoginCookie.read(call.cookies, call.secure), nowMs);
  if (preLogin === undefined) throw new WrongLogin(passwordFirst);
  const { user } = preLogin;
  const from = guesserOf(keys(), user, call, nowMs);
  const account = await addresses.run(from, async () => {
    const { next, answer: isRight } = await changeAccount(accounts, user, account => {
      if (!preLogin.holdsFor(account) || account.totp === null) throw new WrongLogin(passwordFirst);
      return withCode(account, { user, code, from, keys: keys(), nowMs });
    });
    if (!isRight) throw new WrongCode();
    return next;
  });
  return beginSession(members, call, context, user, account, [preLoginCookie.clear(call.secure)]);
}

const passwordFirst = 'log in with name and password first, then send the code within five minutes';

async function beginSession(
  members: Members,
  call: Call,
  context: SessionContext,
  user: string,
  account: Account,
  cookies: readonly string[] = [],
): Promise<Reply> {
  const data: SessionData = { cart: [], authenticatedAtMs: Date.now() };
  keepFamily(data, call.agent);
  if (members.ballast !== '') data.ballast = members.ballast;
  // Stored in the session, because this password gave the role.
  if (members.passwords.isAdministrator(user)) data.role = 'administrator';
  await context.begin(user, data);
  await refuseLateLogin(members, context, user, account);
  const knownBrowser = knownBrowserCookie(members.keys(), user, call, Date.now());
  return json(200, { user }, { 'set-cookie': [...cookies, knownBrowser] });
}

/**
 * Ends the session that has just begun, if the sessions of the user were ended since the password was checked. Such an
 * end first raises the epoch of the account, and then that of the sessions. A session that began before both has an old
 * epoch. For one that began after them, this check sees the new epoch of the account.
 */
async function refuseLateLogin({ accounts }: Members, context: SessionContext, user: string, { epoch }: Account) {
  try {
    refuseEnded(await accounts.read(user), epoch);
  } catch (error) {
    await context.end();
    throw error;
  }
}

export async function logOut(call: Call, context: SessionContext): Promise<Reply> {
  stringsOf(call);
  await context.end();
  return json(200, { user: null });
}

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

const preLoginPurpose = 'pre-login';
export const preLoginMs = 5 * 60_000;
/**
 * The cookie of a browser between the password and the code. It is no session and opens only POST /login/totp.
 *
 * It is bound to the account's last accepted step and to its epoch. So a used code invalidates its token and every
 * other token issued meanwhile. The first half of a login needs no write for that. A changed password or a disabled
 * account invalidates them too.
 */
export const preLoginCookie = new SmallCookie('pre-login', preLoginMs);

type Bound = Pick<Account, 'epoch' | 'lastStep'>;

export function preLoginToken(keys: KeyRing, user: string, { epoch, lastStep }: Bound, nowMs: number): string {
  return seal(keys, preLoginPurpose, JSON.stringify([user, epoch, lastStep, nowMs + preLoginMs]));
}

interface PreLogin {
  readonly user: string;
  /** True if the account has not changed since the password was right. */
  holdsFor(account: Account): boolean;
}

/** Opens a pre-login token. Undefined if it is forged, expired, or for another purpose. */
export function openPreLogin(keys: KeyRing, token: string | undefined, nowMs: number): PreLogin | undefined {
  const opened = token === undefined ? 'malformed' : unseal(keys, preLoginPurpose, token);
  if (typeof opened === 'string') return undefined;
  const [user, epoch, lastStep, untilMs]: [string, number, number, number] = JSON.parse(opened.text);
  if (nowMs >= untilMs) return undefined;
  return { user, holdsFor: account => account.epoch === epoch && account.lastStep === lastStep };
}

/** Proof that the password was given recently in this session. It is good for one sensitive change. */
interface Nonce {
  readonly nonce: string;
  readonly untilMs: number;
  /** A new nonce has a greater order than every nonce that was spent before it was made. */
  readonly order: number;
}

export const nonceMs = 5 * 60_000;

/** Makes a nonce. Its order is its expiry. If the newest spent nonce has a greater order, it is one more: the clock of
 * another backend may be ahead. */
export function newNonce(nowMs: number, { nonceSpentUntilMs }: Account): Nonce {
  const untilMs = nowMs + nonceMs;
  return { nonce: randomBytes(32).toString('base64url'), untilMs, order: Math.max(untilMs, nonceSpentUntilMs + 1) };
}

/** Stores the hash of a nonce in the session, because some modes have data that the browser can read. Replaces an
 * earlier nonce. */
export function keepNonce(data: SessionData, { nonce, untilMs, order }: Nonce): void {
  data.nonce = [digest(nonce), untilMs, order];
}

/** Returns the order of a nonce. Throws `FreshAuthenticationNeeded` if the session does not have it, or it has
 * expired. */
export function findNonce(data: SessionData, nonce: string, nowMs: number): number {
  const [kept, untilMs, order] = Array.isArray(data.nonce) ? data.nonce : [];
  const isFresh = typeof untilMs === 'number' && nowMs < untilMs;
  if (isFresh && typeof order === 'number' && kept === digest(nonce)) return order;
  throw new FreshAuthenticationNeeded();
}

/**
 * Marks a nonce as spent. Throws `FreshAuthenticationNeeded` if it was spent before. Where the session is in the
 * browser, an old copy of it still has the nonce; the account does not. A nonce older than the last spent one counts as
 * spent too, so that the account need not remember them all. The order decides, not the clock of a backend. Steps of
 * the second factor work the same way.
 */
export function withNonceSpent(account: Account, order: number): Account {
  if (order <= account.nonceSpentUntilMs) throw new FreshAuthenticationNeeded();
  return { ...account, nonceSpentUntilMs: order };
}

function digest(nonce: string): string {
  return hash('sha256', nonce, 'base64url');
}
