import { hash, randomBytes } from 'node:crypto';
import { seal, unseal } from '#src/sessions/seal.js';
import { buildAddressKey } from '#src/shared/addresses.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { type Call, SmallCookie } from '../call.js';
import { TooManyTries, WrongCode, WrongLogin } from '../refusal.js';
import type { Account, WrongTries } from './accounts.js';

/**
 * The client of a try. `browser` names the counter of a browser in which this user has logged in before
 * (`knownBrowserCookie`). It is undefined for every other client; these share one counter of the account. So an attacker
 * can make unknown clients wait, but no browser of the user.
 */
export interface Guesser {
  readonly browser: string | undefined;
  /** The address of the client. `AddressTries` counts unknown clients by it, over all accounts. */
  readonly address: string;
}

/** Number of wrong tries of one counter before the first wait. That wait takes 1 min; each further one is twice as
 * long. */
export const triesFree = 5;
const firstWaitMs = 60_000;
const waitMsMax = 3_600_000;
/** A counter starts again this long after its last wait. */
const forgetMs = 24 * 3_600_000;

const unknownClients = 'unknown';
/** Known browsers that have a counter in an account. Further ones share the counter of the unknown clients. Otherwise
 * an attacker who once knew the password could make many known browsers, and guess a little in each. */
const browsersMax = 16;

export function refuseLocked(account: Account, guesser: Guesser, nowMs: number): void {
  refuseWaiting(account.wrongTries[counterName(account, guesser, nowMs)], nowMs);
}

/** Throws `TooManyTries` while the wait after the last wrong try lasts. */
function refuseWaiting(tries: WrongTries | undefined, nowMs: number): void {
  const waitMs = (tries?.waitUntilMs ?? 0) - nowMs;
  if (waitMs > 0) throw new TooManyTries(Math.ceil(waitMs / 1000));
}

/** Counts a wrong try. */
export function withTry(account: Account, guesser: Guesser, nowMs: number): Account {
  const name = counterName(account, guesser, nowMs);
  const tries = withOneMore(account.wrongTries[name], triesFree, forgetMs, nowMs);
  return { ...account, wrongTries: { ...dropForgotten(account, nowMs), [name]: tries } };
}

/** Takes back a try that was counted in advance and was not wrong. */
export function withTryBack(account: Account, guesser: Guesser, nowMs: number): Account {
  const name = counterName(account, guesser, nowMs);
  const { [name]: tries, ...others } = account.wrongTries;
  const count = (tries?.count ?? 0) - 1;
  return { ...account, wrongTries: count > 0 ? { ...others, [name]: { count, waitUntilMs: nowMs } } : others };
}

/** Sets the counter of this client back to zero. */
export function withoutTries(account: Account, guesser: Guesser, nowMs: number): Account {
  const { [counterName(account, guesser, nowMs)]: tries, ...others } = account.wrongTries;
  return tries === undefined ? account : { ...account, wrongTries: others };
}

/** Returns the counter after one more wrong try. The wrong try with the number `free` brings the first wait. */
function withOneMore(before: WrongTries | undefined, free: number, forgetAfterMs: number, nowMs: number): WrongTries {
  const isForgotten = before === undefined || nowMs >= before.waitUntilMs + forgetAfterMs;
  const count = isForgotten ? 1 : before.count + 1;
  const waitMs = count < free ? 0 : Math.min(firstWaitMs * 2 ** (count - free), waitMsMax);
  return { count, waitUntilMs: nowMs + waitMs };
}

function counterName(account: Account, { browser }: Guesser, nowMs: number): string {
  if (browser === undefined) return unknownClients;
  const counters = dropForgotten(account, nowMs);
  const hasRoom = Object.keys(counters).length < browsersMax;
  return hasRoom || Object.hasOwn(counters, browser) ? browser : unknownClients;
}

function dropForgotten({ wrongTries }: Account, nowMs: number): Account['wrongTries'] {
  return Object.fromEntries(Object.entries(wrongTries).filter(([, { waitUntilMs }]) => nowMs < waitUntilMs + forgetMs));
}

/** Higher than the limit of one account: many users may share an address. */
export const addressTriesFree = 100;
const addressForgetMs = 3_600_000;
const addressesMax = 10_000;

/**
 * Counts wrong passwords and codes by the address of the client, over all accounts. So one address cannot try a common
 * password with many users. A known browser is neither counted nor refused.
 *
 * The counters are in the memory of this process: each backend counts for itself. When there are too many addresses, the
 * one that was counted longest ago is forgotten.
 */
export class AddressTries {
  readonly #now: () => number;
  readonly #tries = new Map<string, WrongTries>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /**
   * Runs a check of a password or a code. It was wrong if it rejects with `WrongLogin` or `WrongCode`. Rejects with
   * `TooManyTries` if the address has to wait. The try is counted before the check, so that parallel guesses are limited
   * too.
   */
  async run<T>(guesser: Guesser, check: () => Promise<T>): Promise<T> {
    if (guesser.browser !== undefined) return check();
    const key = buildAddressKey(guesser.address);
    refuseWaiting(this.#tries.get(key), this.#now());
    this.#set(key, withOneMore(this.#tries.get(key), addressTriesFree, addressForgetMs, this.#now()));
    try {
      const answer = await check();
      this.#takeBack(key);
      return answer;
    } catch (error) {
      if (!(error instanceof WrongLogin || error instanceof WrongCode)) this.#takeBack(key);
      throw error;
    }
  }

  /** The other tries stay counted: otherwise an attacker could log in to an own account now and then. */
  #takeBack(key: string): void {
    const count = (this.#tries.get(key)?.count ?? 0) - 1;
    if (count > 0) this.#set(key, { count, waitUntilMs: this.#now() });
    else this.#tries.delete(key);
  }

  #set(key: string, tries: WrongTries): void {
    this.#tries.delete(key);
    this.#tries.set(key, tries);
    const [oldest] = this.#tries.keys();
    if (this.#tries.size > addressesMax && oldest !== undefined) this.#tries.delete(oldest);
  }
}

const knownPurpose = 'known-browser';
const knownMs = 90 * 24 * 3_600_000;
/** A cookie that a browser keeps for 90 days after the user logged in with it (OWASP: device cookie). It opens nothing
 * and replaces no password. It only decides which counter of the account a wrong password counts for. */
const knownCookie = new SmallCookie('known-browser', knownMs);
const idBytes = 12;

/** Returns the Set-Cookie line for a browser in which the user has just logged in. A browser that is known already
 * keeps its id: otherwise each login would bring a fresh counter. */
export function knownBrowserCookie(keys: KeyRing, user: string, call: Call, nowMs: number): string {
  const id = openKnown(keys, user, call, nowMs) ?? randomBytes(idBytes).toString('base64url');
  return knownCookie.set(seal(keys, knownPurpose, JSON.stringify([user, nowMs + knownMs, id])), call.secure);
}

/** Returns the client of a try. A known browser counts once for each address: a thief with a copy of all cookies must
 * not make the owner wait. */
export function guesserOf(keys: KeyRing, user: string, call: Call, nowMs: number): Guesser {
  const { address } = call;
  const id = openKnown(keys, user, call, nowMs);
  const browser = id === undefined ? undefined : hash('sha256', `${id} ${address}`, 'base64url').slice(0, 22);
  return { browser, address };
}

/** Returns the id in the cookie. Undefined if it is missing, forged, expired, of another user, or of version 0.1. */
function openKnown(keys: KeyRing, user: string, { cookies, secure }: Call, nowMs: number): string | undefined {
  const token = knownCookie.read(cookies, secure);
  const opened = token === undefined ? 'malformed' : unseal(keys, knownPurpose, token);
  if (typeof opened === 'string') return undefined;
  const [knownUser, untilMs, id]: [string, number, string?] = JSON.parse(opened.text);
  return knownUser === user && nowMs < untilMs ? id : undefined;
}
