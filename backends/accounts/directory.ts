import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AccountsUnavailable } from '../refusal.js';
import { type Account, freshAccount, parseAccount } from './account.js';
import { type Accounts, assertUserName } from './accounts.js';

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
