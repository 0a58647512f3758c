import type { SessionData } from '#src/sessions/session.js';
import { BrowserChanged } from '../refusal.js';
import type { Account } from './account.js';
import { changeAccount } from './accounts.js';
import type { Members } from './members.js';
import { type Guesser, refuseLocked, withTry, withTryBack } from './tries.js';

type Gate = Pick<Members, 'accounts' | 'passwords'>;

/**
 * Resolves with the account, in which a try is counted, when the password is right; with nothing when it is wrong.
 * Throws `TooManyTries`.
 *
 * The try is counted before the password is looked at: that takes a while, and a thousand guesses at the same moment
 * must not all be free. One that could not be looked at is given back, or whoever keeps the shop busy would lock people
 * out with their own right passwords.
 */
export async function tryPassword(
  members: Gate,
  user: string,
  password: string,
  guesser: Guesser,
): Promise<Account | undefined> {
  const account = await countTry(members, user, guesser);
  return (await looked(members, user, account, password, guesser)) ? account : undefined;
}

async function looked(members: Gate, user: string, account: Account, password: string, guesser: Guesser) {
  try {
    return await members.passwords.isRight(user, account, password);
  } catch (error) {
    await giveTryBack(members, user, guesser);
    throw error;
  }
}

async function countTry({ accounts }: Gate, user: string, guesser: Guesser): Promise<Account> {
  const nowMs = Date.now();
  const { next } = await changeAccount(accounts, user, account => {
    refuseLocked(account, guesser, nowMs);
    return { next: withTry(account, guesser, nowMs), answer: undefined };
  });
  return next;
}

async function giveTryBack({ accounts }: Gate, user: string, guesser: Guesser): Promise<void> {
  await changeAccount(accounts, user, account => ({ next: withTryBack(account, guesser), answer: undefined }));
}

/** Most browsers claim to be others too, so the order matters. */
const families: readonly [string, RegExp][] = [
  ['edge', /\bEdg(?:e|A|iOS)?\//],
  ['opera', /\b(?:OPR|Opera)\//],
  ['samsung', /\bSamsungBrowser\//],
  ['firefox', /\b(?:Firefox|FxiOS)\//],
  ['chrome', /(?:Chrome|Chromium|\bCriOS)\//],
  ['safari', /\bVersion\/.*\bSafari\//],
];

/**
 * The family and nothing more of a User-Agent: the version changes with every update, the family of a session does not.
 * Undefined for what is no browser that we know.
 */
export function browserFamily(agent: string | undefined): string | undefined {
  if (agent === undefined) return undefined;
  return families.find(([, shape]) => shape.test(agent))?.[0];
}

/** A session that was begun by what is no known browser has no family, and goes unchecked. */
export function refuseOtherBrowser(agent: string | undefined, data: SessionData | undefined): void {
  if (data?.family !== undefined && data.family !== browserFamily(agent)) throw new BrowserChanged();
}

export function keepFamily(data: SessionData, agent: string | undefined): void {
  const family = browserFamily(agent);
  if (family === undefined) delete data.family;
  else data.family = family;
}
