import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { TooBusy, TooManyAtOnce, UnfitPassword } from '../refusal.js';
import { type Account, type Accounts, changeAccount } from './accounts.js';
import { type Guesser, refuseLocked, withTry, withTryBack } from './tries.js';

export const administrator = 'admin';

/** One of the equally strong scrypt parameter sets of the OWASP Password Storage Cheat Sheet (N=2^17 r=8 p=1 is
 * another). This one takes 32 MiB instead of 128, so that two at a time fit into a small machine. */
const cost = { ln: 15, r: 8, p: 3 };
const saltBytes = 16;
const hashBytes = 32;
export const queueLimits = { atOnceMax: 2, waitingMax: 32, waitingPerUserMax: 4 };

const charsMin = 8;
const charsMax = 128;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/**
 * The passwords of all users. A user without a password of their own has the common password. It is no secret: it is
 * compared but never derived, so that logins of a load test cost nothing. Timing may reveal which users have chosen a
 * password.
 */
export class Passwords {
  readonly #common: string;
  readonly #administrators: string | undefined;
  readonly #queue: FairQueue;

  constructor(common: string, administrators: string | undefined, queue = new FairQueue(queueLimits)) {
    this.#queue = queue;
    this.#common = common;
    this.#administrators = administrators;
  }

  /** True if `admin` is the administrator. Without an administrator password, `admin` is a name like any other. */
  isAdministrator(user: string): boolean {
    return user === administrator && this.#administrators !== undefined;
  }

  /** True for the name `admin` while there is no administrator. Otherwise a user with that name could change the
   * account now and become the administrator later. */
  isReserved(user: string): boolean {
    return user === administrator && this.#administrators === undefined;
  }

  /** True if the account has a password of its own. */
  isOwn(user: string, { password }: Account): boolean {
    return password !== null || this.isAdministrator(user);
  }

  /** Checks a password. Rejects with `TooBusy` or `TooManyAtOnce` if too many checks are waiting. */
  async isRight(user: string, { password }: Account, given: string): Promise<boolean> {
    const text = given.normalize('NFC');
    if (password !== null) return this.#matches(user, password, text);
    const expected = this.isAdministrator(user) ? this.#administrators : this.#common;
    return sameText(text, (expected ?? this.#common).normalize('NFC'));
  }

  /** Returns a PHC string. It holds the cost parameters, so that later passwords can have higher ones. Rejects as
   * `isRight` does. */
  async hash(user: string, password: string): Promise<string> {
    const salt = randomBytes(saltBytes);
    const { ln, r, p } = cost;
    const hash = await this.#derive(user, password.normalize('NFC'), salt, ln, r, p);
    return `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
  }

  async #matches(user: string, kept: string, given: string): Promise<boolean> {
    const parts = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]+)\$([\w-]+)$/.exec(kept);
    if (parts === null) throw new Error('a password hash that cannot be read');
    const [, ln, r, p, salt = '', hash = ''] = parts;
    if (charsOf(given) > charsMax) return false;
    const derived = await this.#derive(user, given, Buffer.from(salt, 'base64url'), Number(ln), Number(r), Number(p));
    const expected = Buffer.from(hash, 'base64url');
    return expected.length === derived.length && timingSafeEqual(derived, expected);
  }

  #derive(user: string, text: string, salt: Buffer, ln: number, r: number, p: number): Promise<Buffer> {
    const N = 2 ** ln;
    // scrypt needs slightly more than 128 * N * r bytes. The default limit is just too small.
    const maxmem = 2 * 128 * N * r;
    return this.#queue.run(user, () => derive(text, salt, hashBytes, { N, r, p, maxmem }));
  }
}

/** Compares digests, so that timing reveals neither the length nor a common prefix. */
function sameText(given: string, expected: string): boolean {
  return timingSafeEqual(sha256(given), sha256(expected));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

interface TryServices {
  readonly accounts: Accounts;
  readonly passwords: Passwords;
}

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

/**
 * Returns the composed form of a password. Checks the length only: composition rules make passwords worse (NIST SP
 * 800-63B-4). It counts code points of the composed form, which is also hashed. So the same password from another
 * keyboard is equal.
 */
export function requireFitPassword(user: string, password: string): string {
  const text = password.normalize('NFC');
  const chars = charsOf(text);
  if (chars < charsMin || chars > charsMax) {
    throw new UnfitPassword(`a password must have ${charsMin} to ${charsMax} characters; this one has ${chars}`);
  }
  if (/\p{Surrogate}/u.test(text)) throw new UnfitPassword('a password must be Unicode text; this one is not');
  if (text.toLowerCase() === user) throw new UnfitPassword('a password must not be the name of its user');
  return text;
}

function charsOf(text: string): number {
  return [...text].length;
}

interface QueueLimits {
  readonly atOnceMax: number;
  readonly waitingMax: number;
  readonly waitingPerUserMax: number;
}

/**
 * Runs a limited number of jobs at once. The others wait, and the users take turns: a free slot goes to the user that
 * was served longest ago. So one user with many jobs does not delay the job of another by more than one turn.
 */
export class FairQueue {
  readonly #limits: QueueLimits;
  /** The waiting jobs of each user. The first user is the next one. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #waitingCount = 0;
  #running = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Runs `work`. Rejects with `TooManyAtOnce` if too many jobs of this user wait, with `TooBusy` if too many wait in
   * all, and with the error of `work`. */
  async run<T>(user: string, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.atOnceMax) this.#running++;
    else await this.#waitForSlot(user);
    try {
      return await work();
    } finally {
      const next = this.#takeNext();
      // The next job takes over this slot, so that no new job can take it in between.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #waitForSlot(user: string): Promise<void> {
    const jobs = this.#waiting.get(user) ?? [];
    if (jobs.length >= this.#limits.waitingPerUserMax) throw new TooManyAtOnce();
    if (this.#waitingCount >= this.#limits.waitingMax) throw new TooBusy();
    this.#waitingCount++;
    this.#waiting.set(user, jobs);
    return new Promise(resolve => jobs.push(resolve));
  }

  #takeNext(): (() => void) | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [user, jobs] = first;
    const job = jobs.shift();
    this.#waitingCount--;
    this.#waiting.delete(user);
    // The last place: the other users come first now.
    if (jobs.length > 0) this.#waiting.set(user, jobs);
    return job;
  }
}
