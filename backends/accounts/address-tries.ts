import { buildAddressKey } from '#src/shared/client-address.js';
import { WrongCode, WrongLogin } from '../refusal.js';
import type { WrongTries } from './account.js';
import { type Guesser, refuseWaiting, withOneMore } from './tries.js';

/** Higher than the limit of one account: many users may share an address. */
export const addressTriesFree = 100;
const forgetMs = 3_600_000;
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
    this.#set(key, withOneMore(this.#tries.get(key), addressTriesFree, forgetMs, this.#now()));
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
