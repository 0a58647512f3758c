import type { SessionData } from '#src/sessions/session.js';
import { BrowserChanged } from '../refusal.js';
import type { Account } from './account.js';
import { changeAccount } from './accounts.js';
import type { Members } from './members.js';
import { type Guesser, refuseLocked, withTry, withTryBack } from './tries.js';

type TryServices = Pick<Members, 'accounts' | 'passwords'>;

/**
 * Checks a password. If it is right, resolves with the account, in which a try is counted. If it is wrong, resolves
 * with undefined. Rejects with `TooManyTries`.
 *
 * The try is counted before the check: the check takes a while, and a thousand parallel guesses must not all be free. A
 * try that could not be checked is given back. Otherwise an attacker who keeps the shop busy could lock users out with
 * their own correct passwords.
 */
export async function tryPassword(
  members: TryServices,
  user: string,
  password: string,
  guesser: Guesser,
): Promise<Account | undefined> {
  const account = await countTry(members, user, guesser);
  return (await checkPassword(members, user, account, password, guesser)) ? account : undefined;
}

async function checkPassword(members: TryServices, user: string, account: Account, password: string, guesser: Guesser) {
  try {
    return await members.passwords.isRight(user, account, password);
  } catch (error) {
    await giveTryBack(members, user, guesser);
    throw error;
  }
}

async function countTry({ accounts }: TryServices, user: string, guesser: Guesser): Promise<Account> {
  const nowMs = Date.now();
  const { next } = await changeAccount(accounts, user, account => {
    refuseLocked(account, guesser, nowMs);
    return { next: withTry(account, guesser, nowMs), answer: undefined };
  });
  return next;
}

async function giveTryBack({ accounts }: TryServices, user: string, guesser: Guesser): Promise<void> {
  const nowMs = Date.now();
  await changeAccount(accounts, user, account => ({ next: withTryBack(account, guesser, nowMs), answer: undefined }));
}

/** The order matters, because most browsers claim to be others too. */
const families: readonly [string, RegExp][] = [
  ['edge', /\bEdg(?:e|A|iOS)?\//],
  ['opera', /\b(?:OPR|Opera)\//],
  ['samsung', /\bSamsungBrowser\//],
  ['firefox', /\b(?:Firefox|FxiOS)\//],
  ['chrome', /(?:Chrome|Chromium|\bCriOS)\//],
  ['safari', /\bVersion\/.*\bSafari\//],
];

/** Returns the browser family of a User-Agent. The version changes with updates, so only the family is kept. Undefined
 * for an unknown browser. */
export function browserFamily(agent: string | undefined): string | undefined {
  if (agent === undefined) return undefined;
  return families.find(([, shape]) => shape.test(agent))?.[0];
}

/** Throws `BrowserChanged` if the family differs. A session of an unknown browser has no family and is not checked. */
export function refuseOtherBrowser(agent: string | undefined, data: SessionData | undefined): void {
  if (data?.family !== undefined && data.family !== browserFamily(agent)) throw new BrowserChanged();
}

export function keepFamily(data: SessionData, agent: string | undefined): void {
  const family = browserFamily(agent);
  if (family === undefined) delete data.family;
  else data.family = family;
}
