import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SessionGone } from '#src/sessions/errors.js';
import { AccountsUnavailable } from '../refusal.js';

/** The data of one user in the shop; plain JSON. All times are milliseconds since 1970 (wall clock). */
export interface Account {
  /** 0 if never saved; each save adds one. */
  readonly version: number;
  /** Rises with every event that must end a login in progress: a new password, a new second factor, the end of all
   * sessions, a disabled account. */
  readonly epoch: number;
  readonly disabled: boolean;
  /** The hash that `Passwords.hash` made. Null: the common default password. */
  readonly password: string | null;
  /** The sealed secret of the second factor, or null. */
  readonly totp: string | null;
  /** The sealed secret of a second factor that waits for its first code, or null. */
  readonly pendingTotp: string | null;
  /** The newest time step (RFC 6238) for which a code was accepted. */
  readonly lastStep: number;
  /** The order of the newest spent nonce (`authentication.ts`). */
  readonly nonceSpentUntilMs: number;
  /** Wrong passwords and codes, by counter: one for each known browser, one for all other clients (`tries.ts`). */
  readonly wrongTries: Readonly<Record<string, WrongTries>>;
}

/** Consecutive wrong tries of one counter. */
export interface WrongTries {
  readonly count: number;
  /** Time at which the next try is possible. */
  readonly waitUntilMs: number;
}

/** The account of a user that was never saved. Any name can log in here, so there is nothing else to know. */
export const freshAccount: Account = {
  version: 0,
  epoch: 0,
  disabled: false,
  password: null,
  totp: null,
  pendingTotp: null,
  lastStep: 0,
  nonceSpentUntilMs: 0,
  wrongTries: {},
};

/**
 * Storage for accounts. Implementations: `MemoryAccounts`, `DirectoryAccounts`.
 *
 * Both methods reject with `AccountsUnavailable` if the storage cannot be used. For a name that `isUserName` refuses,
 * they reject with a `RangeError`: no foreign name becomes a path.
 */
export interface Accounts {
  /** If the account was never saved, `read` resolves with `freshAccount`. */
  read(user: string): Promise<Account>;
  /** Saves over `account.version - 1` in one atomic step. Of several saves of the same version, exactly one wins; the
   * others resolve with `conflict`. */
  save(user: string, account: Account): Promise<'saved' | 'conflict'>;
}

const triesMax = 32;

/** The result of an edit: the next account, and the answer for the caller. */
export interface Edited<T> {
  readonly next: Account;
  readonly answer: T;
}

/**
 * Applies `edit` to the newest account and saves it. On a conflict it reads again and retries. If `edit` returns the
 * same account, nothing is saved. If `edit` throws, the account stays as it is. After 32 conflicts in a row it rejects
 * with `AccountsUnavailable`; parallel guessing of a password ends this way too.
 */
export async function changeAccount<T>(
  accounts: Accounts,
  user: string,
  edit: (account: Account) => Edited<T>,
): Promise<Edited<T>> {
  for (let tries = 0; tries < triesMax; tries++) {
    const account = await accounts.read(user);
    const { next, answer } = edit(account);
    if (next === account) return { next, answer };
    const saved = { ...next, version: account.version + 1 };
    if ((await accounts.save(user, saved)) === 'saved') return { next: saved, answer };
  }
  throw new AccountsUnavailable();
}

/** Throws if the sessions of this user were ended since the account had this epoch. */
export function refuseEnded(account: Account, epoch: number): void {
  if (account.disabled || account.epoch !== epoch) throw new SessionGone();
}

/** Ends the logins of the user that are in progress. */
export async function endLogins(accounts: Accounts, user: string): Promise<void> {
  await changeAccount(accounts, user, account => ({ next: withNextEpoch(account), answer: undefined }));
}

export function withNextEpoch(account: Account): Account {
  return { ...account, epoch: account.epoch + 1 };
}

/** Parses an account. Throws for other text: an unreadable account must not become one without a password. */
export function parseAccount(text: string): Account {
  const given = parseJson(text);
  const fields = new Map(typeof given === 'object' && given !== null ? Object.entries(given) : []);
  // Version 0.1 had other counters. They are dropped: a wait is lost, nothing else.
  if (!fields.has('wrongTries')) fields.set('wrongTries', {});
  const wrong = Object.entries(freshAccount).filter(([name, sample]) => !hasTypeOf(sample, fields.get(name)));
  if (wrong.length > 0) throw new Error(`the account has no usable ${wrong.map(([name]) => name).join(', ')}`);
  return { ...freshAccount, ...Object.fromEntries([...fields].filter(([name]) => Object.hasOwn(freshAccount, name))) };
}

/** Parses JSON. The parser's own message would show a part of the text, which may be secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('an account that is not JSON');
  }
}

function hasTypeOf(sample: unknown, value: unknown): boolean {
  if (sample === null) return value === null || typeof value === 'string';
  if (typeof sample === 'object') return isCounters(value);
  return typeof value === typeof sample && (typeof value !== 'number' || Number.isSafeInteger(value));
}

function isCounters(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(each => {
    const { count, waitUntilMs } = Object(each);
    return Number.isSafeInteger(count) && Number.isSafeInteger(waitUntilMs);
  });
}

const nameShape = /^[a-z0-9-]{1,64}$/;

export function isUserName(text: string): boolean {
  return nameShape.test(text);
}

function assertUserName(user: string): string {
  if (isUserName(user)) return user;
  throw new RangeError('no user can have this name');
}

const accountsMax = 100_000;

/** Accounts in the memory of this process. Other processes do not see them. */
export class MemoryAccounts implements Accounts {
  readonly #kept = new Map<string, Account>();

  async read(user: string): Promise<Account> {
    return this.#kept.get(assertUserName(user)) ?? freshAccount;
  }

  async save(user: string, account: Account): Promise<'saved' | 'conflict'> {
    const current = this.#kept.get(assertUserName(user)) ?? freshAccount;
    if (current.version !== account.version - 1) return 'conflict';
    if (current === freshAccount && this.#kept.size >= accountsMax) throw new AccountsUnavailable();
    this.#kept.set(user, { ...account });
    return 'saved';
  }
}

/** Number of versions that are kept, so that a reader hardly ever finds its version gone. */
const versionsKept = 8;
const readsMax = 5;

/**
 * Accounts in a directory that several processes share. The files are `<user>/<version>`; the highest version counts. A
 * version is written under another name and then linked. link(2) fails if the name exists, so exactly one of several
 * processes wins, and no reader sees half a file.
 */
export class DirectoryAccounts implements Accounts {
  readonly #root: string;

  /** Throws the error of the file system if the directory cannot be made. */
  constructor(root: string) {
    this.#root = path.resolve(root);
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
  }

  read(user: string): Promise<Account> {
    const folder = this.#folder(user);
    return withStorageErrors(async () => {
      for (let reads = 0; reads < readsMax; reads++) {
        const newest = newestOf(await namesIn(folder));
        if (newest === 0) return freshAccount;
        const text = await unlessCode('ENOENT', readFile(path.join(folder, String(newest)), 'utf8'));
        if (text !== undefined) return parseAccount(text);
      }
      throw new Error('every version was replaced before it could be read');
    });
  }

  save(user: string, account: Account): Promise<'saved' | 'conflict'> {
    const folder = this.#folder(user);
    return withStorageErrors(async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (!(await publish(folder, account))) return 'conflict';
      await removeOld(folder);
      return 'saved';
    });
  }

  #folder(user: string): string {
    return path.join(this.#root, assertUserName(user));
  }
}

/**
 * Links a version. Resolves with false if another process made this version. A slow process must not link a version that
 * was made and removed meanwhile. So its draft exists before it looks, and `removeOld` removes drafts before versions:
 *
 *     the version was removed before the look    -> the look finds a newer one
 *     it is removed after the look               -> the draft is removed first, and link(2) fails
 */
async function publish(folder: string, account: Account): Promise<boolean> {
  const draft = path.join(folder, `${account.version}.${randomBytes(8).toString('hex')}`);
  try {
    await writeFile(draft, JSON.stringify(account), { flag: 'wx', mode: 0o600, flush: true });
    if (newestOf(await namesIn(folder)) !== account.version - 1) return false;
    await link(draft, path.join(folder, String(account.version)));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes old versions, and before them old drafts: those of dead and of slow processes. */
async function removeOld(folder: string): Promise<void> {
  const names = await namesIn(folder);
  const oldest = newestOf(names) - versionsKept;
  const old = names.filter(name => Number.parseInt(name, 10) <= oldest);
  for (const some of [old.filter(isDraft), old.filter(name => !isDraft(name))]) {
    await Promise.all(some.map(name => rm(path.join(folder, name), { force: true })));
  }
}

function isDraft(name: string): boolean {
  return name.includes('.');
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await unlessCode('ENOENT', readdir(folder))) ?? [];
}

function newestOf(names: readonly string[]): number {
  return names.reduce((newest, name) => (/^\d{1,15}$/.test(name) ? Math.max(newest, Number(name)) : newest), 0);
}

async function withStorageErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    console.error(`accounts: ${error instanceof Error ? error.message : String(error)}`);
    throw new AccountsUnavailable();
  }
}

async function unlessCode<T>(code: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === code) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
