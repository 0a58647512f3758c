import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AccountsUnavailable } from '../refusal.js';
import { type Account, freshAccount, parseAccount } from './account.js';
import { type Accounts, assertUserName } from './accounts.js';

/**
 * Number of versions that are kept. A version is removed only when a version newer by this much exists. A process that
 * links a version then looks for such a newer version. If there is none, the name was really unused: its file had not
 * been removed. Also, a reader hardly ever finds its version gone.
 */
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
      if (newestOf(await namesIn(folder)) !== account.version - 1) return 'conflict';
      return (await publish(folder, account)) ? settle(folder, account.version) : 'conflict';
    });
  }

  #folder(user: string): string {
    return path.join(this.#root, assertUserName(user));
  }
}

/** Links a version. Resolves with false if another process made this version, or many newer ones. */
async function publish(folder: string, account: Account): Promise<boolean> {
  const draft = path.join(folder, `${account.version}.${randomBytes(8).toString('hex')}`);
  try {
    await writeFile(draft, JSON.stringify(account), { flag: 'wx', mode: 0o600, flush: true });
    await link(draft, path.join(folder, String(account.version)));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes old versions and drafts of dead processes. If the new version came too late, it is removed too. */
async function settle(folder: string, made: number): Promise<'saved' | 'conflict'> {
  const names = await namesIn(folder);
  const oldest = newestOf(names) - versionsKept;
  const old = names.filter(name => Number.parseInt(name, 10) <= oldest);
  await Promise.all(old.map(name => rm(path.join(folder, name), { force: true })));
  return made <= oldest ? 'conflict' : 'saved';
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
