import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { digestOf, handleOf, type SessionRecord, type SessionSummary } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { ProcessFolder } from './shared-list/process-folder.js';

const listedMax = 1_000;
const tidyIntervalMs = 10 * 60_000;
/** Limits the open files, so that a process never runs out of descriptors. */
const filesAtOnce = 64;
const handleShape = /^[0-9a-f]{16}$/;

/**
 * Keeps a shared directory of the sessions in the memory of several processes. So each process can list and end all of
 * them. The files are `<process folder>/<digest of the user>/<handle>`. The data of a session stays in the memory of
 * its process.
 *
 * A session without its file was ended by another process. If the file system cannot tell, calls reject with
 * `StoreUnavailable`.
 *
 * unlink(2) decides which process ended a session: exactly one of several succeeds.
 */
export class SharedList implements SessionStore {
  readonly #inner: SessionStore;
  readonly #folder: ProcessFolder;
  readonly #now: () => number;
  readonly #tidier: NodeJS.Timeout;

  /** `close` removes the folder of this process. */
  constructor(inner: SessionStore, folder: ProcessFolder, now: () => number) {
    this.#inner = inner;
    this.#folder = folder;
    this.#now = now;
    this.#tidier = setInterval(() => void this.tidy().catch(() => undefined), tidyIntervalMs).unref();
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const record = await this.#inner.read(id);
    if (record === undefined || isPresent(this.#file(record.user, id))) return record;
    await this.#inner.remove(id);
    return undefined;
  }

  async create(id: string, record: SessionRecord): Promise<void> {
    await this.#inner.create(id, record);
    const file = this.#file(record.user, id);
    try {
      // The file gets its name only when it is complete: an empty file would look like an expired session.
      await writeNew(`${file}.new`, formatLine(record.createdAtMs, record));
      await rename(`${file}.new`, file);
    } catch (error) {
      await Promise.all([this.#inner.remove(id), rm(`${file}.new`, { force: true }).catch(() => undefined)]);
      throw toUnavailable(error);
    }
  }

  async replace(id: string, record: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    return (await this.read(id)) === undefined ? 'gone' : this.#inner.replace(id, record);
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const record = await this.read(id);
    if (record === undefined || !(await this.#inner.touch(id, idleUntilMs))) return false;
    await rewrite(this.#file(record.user, id), formatLine(record.createdAtMs, { ...record, idleUntilMs }));
    return true;
  }

  /** Removes a session. If another process ended it first, resolves with `gone`, so that a rotation revives nothing. */
  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const record = await this.#inner.read(id);
    const outcome = await this.#inner.remove(id, onlyVersion);
    if (record === undefined || outcome !== 'removed') return outcome;
    return (await removeFile(this.#file(record.user, id))) ? 'removed' : 'gone';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    // The inner store rejects after it was closed.
    await this.#inner.listByUser(user);
    const files = (await Promise.all((await this.#foldersOf(user)).map(filesIn))).flat();
    const living: SessionSummary[] = [];
    for (let at = 0; at < files.length && living.length < listedMax; at += filesAtOnce) {
      const found = await Promise.all(files.slice(at, at + filesAtOnce).map(file => this.#readLive(file)));
      living.push(...found.filter(each => each !== undefined));
    }
    return living.slice(0, listedMax);
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    await this.#inner.removeByHandle(user, handle);
    if (!handleShape.test(handle)) return false;
    const files = (await this.#foldersOf(user)).map(folder => path.join(folder, handle));
    const removed = await Promise.all(files.map(async file => (await this.#readLive(file)) && removeFile(file)));
    return removed.includes(true);
  }

  async clear(): Promise<void> {
    await this.#inner.clear();
    for (const folder of await this.#folders()) {
      const files = await filesIn(folder);
      for (let at = 0; at < files.length; at += filesAtOnce)
        await Promise.all(files.slice(at, at + filesAtOnce).map(removeFile));
    }
  }

  /** Removes expired sessions that were never listed from the folder of this process. Runs every ten minutes. */
  async tidy(): Promise<void> {
    for (const user of await namesIn(this.#folder.own)) {
      const folder = path.join(this.#folder.own, user);
      for (const file of await filesIn(folder)) await this.#readLive(file);
      // `rmdir` refuses a folder that is not empty, as most are.
      await rmdir(folder).catch(() => undefined);
    }
  }

  ready(withinMs: number): Promise<boolean> {
    return this.#inner.ready(withinMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#tidier);
    await this.#inner.close();
    this.#folder.leave();
  }

  #file(user: string, id: string): string {
    return path.join(this.#folder.own, folderOf(user), handleOf(digestOf(id)));
  }

  /** Returns the folder of a user in each process. */
  async #foldersOf(user: string): Promise<readonly string[]> {
    const { directory } = this.#folder;
    return (await namesIn(directory)).map(owner => path.join(directory, owner, folderOf(user)));
  }

  /** Returns a live session. Undefined if it is past its deadline or gone. */
  async #readLive(file: string): Promise<SessionSummary | undefined> {
    const text = await readFile(file, 'utf8').catch(error => ignoreMissing(error, undefined));
    if (text === undefined) return undefined;
    const [createdAtMs = 0, idleUntilMs = 0] = text.split(' ').map(Number);
    if (this.#now() < idleUntilMs) return { handle: path.basename(file), createdAtMs, idleUntilMs };
    await removeFile(file);
    return undefined;
  }

  /** Returns every folder of every user in every process. */
  async #folders(): Promise<readonly string[]> {
    const { directory } = this.#folder;
    const owners = (await namesIn(directory)).map(owner => path.join(directory, owner));
    const users = owners.map(async owner => (await namesIn(owner)).map(user => path.join(owner, user)));
    return (await Promise.all(users)).flat();
  }
}

/** Returns a folder name. It is a hash, so that no foreign name becomes a path. */
function folderOf(user: string): string {
  return hash('sha256', user, 'hex').slice(0, 32);
}

/** Returns the text of a file. Its length is constant (13 digits until the year 2286), so that it can be rewritten in
 * place. */
function formatLine(
  createdAtMs: number,
  { idleUntilMs, absoluteUntilMs }: Pick<SessionRecord, 'idleUntilMs' | 'absoluteUntilMs'>,
): string {
  return `${createdAtMs} ${Math.min(idleUntilMs, absoluteUntilMs)}`;
}

/** Writes a new file. Tries again if the empty folder was removed just before. */
async function writeNew(file: string, text: string): Promise<void> {
  const write = async () => {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text, { mode: 0o600 });
  };
  await write().catch(error => {
    ignoreMissing(error, undefined);
    return write();
  });
}

/** Rewrites a file in place, only if it exists: a session that was ended meanwhile must not come back. */
async function rewrite(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, 'r+');
    await handle.write(text, 0).finally(() => handle.close());
  } catch (error) {
    ignoreMissing(error, undefined);
  }
}

function isPresent(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw toUnavailable(error);
  }
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await namesIn(folder);
  return names.filter(name => handleShape.test(name)).map(name => path.join(folder, name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(error => ignoreMissing(error, []));
}

/** Removes a file. Resolves with false if it did not exist. */
async function removeFile(file: string): Promise<boolean> {
  return unlink(file).then(
    () => true,
    error => ignoreMissing(error, false),
  );
}

function ignoreMissing<T>(error: unknown, instead: T): T {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return instead;
  throw toUnavailable(error);
}

function toUnavailable(error: unknown): StoreUnavailable {
  return new StoreUnavailable('the list of sessions cannot be read or changed', { cause: error });
}
