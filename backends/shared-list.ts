import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import {
  buildSummary,
  type Epochs,
  handleOfId,
  type NewSessionRecord,
  type SessionRecord,
  type SessionSummary,
} from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import {
  EpochFiles,
  epochsFolder,
  filesIn,
  formatFile,
  formatLine,
  handleShape,
  lineOf,
  namesIn,
  readLine,
  readLineLater,
  removeBefore,
  removeFile,
  rewrite,
  toUnavailable,
  withFiles,
  writeNew,
} from './shared-list/files.js';
import type { ProcessFolder } from './shared-list/process-folder.js';

const listedMax = 1_000;
const tidyIntervalMs = 10 * 60_000;
/** Limits the open files, so that a process never runs out of descriptors. */
const filesAtOnce = 64;
const everyone = 'everyone';

/**
 * Keeps a shared directory of the sessions in the memory of several processes. So each process can list and end all of
 * them. The files are `<process folder>/<digest of the user>/<handle>`. The data of a session stays in the memory of
 * its process.
 *
 * A session without its file was ended by another process. So was a session with other epochs in its file than the
 * shared ones. If the file system cannot tell, calls reject with `StoreUnavailable`.
 *
 * unlink(2) decides which process ended a session: exactly one of several succeeds. Only the process of a session
 * removes its file after its deadline: the clock of another process may be ahead.
 */
export class SharedList implements SessionStore {
  readonly #inner: SessionStore;
  readonly #folder: ProcessFolder;
  readonly #epochs: EpochFiles;
  /** The epochs in each file, so that most requests need not read it. */
  readonly #epochsIn = new Map<string, Epochs>();
  readonly #now: () => number;
  readonly #tidier: NodeJS.Timeout;

  /** `close` removes the folder of this process. */
  constructor(inner: SessionStore, folder: ProcessFolder, now: () => number) {
    this.#inner = inner;
    this.#folder = folder;
    this.#epochs = new EpochFiles(folder.directory, now);
    this.#now = now;
    this.#tidier = setInterval(() => void this.tidy().catch(() => undefined), tidyIntervalMs).unref();
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const record = await this.#inner.read(id);
    if (record === undefined) return undefined;
    const file = this.#file(record.user, id);
    const epochs = this.#readPresent(record.user, file);
    if (epochs !== undefined) return { ...record, epochs };
    await this.#inner.remove(id);
    await removeFile(file);
    return undefined;
  }

  async create(id: string, record: NewSessionRecord): Promise<Epochs> {
    await this.#inner.create(id, { ...record, epochs: undefined, client: undefined });
    const file = this.#file(record.user, id);
    try {
      const present = {
        user: this.#epochs.ensure(folderOf(record.user), record.epochs?.user),
        everyone: this.#epochs.ensure(everyone, record.epochs?.everyone),
      };
      const epochs = record.epochs ?? present;
      // The file gets its name only when it is complete: an empty file would look like an expired session.
      await writeNew(`${file}.new`, formatFile(record, epochs));
      await rename(`${file}.new`, file);
      this.#epochsIn.set(file, epochs);
      return epochs;
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
    const file = this.#file(record.user, id);
    withFiles(() => {
      const line = readLine(file);
      if (line !== undefined) rewrite(file, formatLine(lineOf({ ...record, idleUntilMs }), line.epochs));
    });
    return true;
  }

  /** Removes a session. If another process ended it first, resolves with `gone`, so that a rotation revives nothing. */
  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const record = await this.read(id);
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
      const found = await Promise.all(files.slice(at, at + filesAtOnce).map(file => this.#readLive(user, file)));
      living.push(...found.filter(each => each !== undefined));
    }
    return living.slice(0, listedMax);
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    await this.#inner.removeByHandle(user, handle);
    if (!handleShape.test(handle)) return false;
    const files = (await this.#foldersOf(user)).map(folder => path.join(folder, handle));
    const removed = await Promise.all(files.map(async file => (await this.#readLive(user, file)) && removeFile(file)));
    return removed.includes(true);
  }

  /** Raises the shared epoch. That ends the sessions of every process. Then it removes their files. */
  async raiseEpoch(user: string, except?: string): Promise<number> {
    const excepted = except === undefined ? undefined : await this.read(except);
    const kept = excepted?.user === user && except !== undefined ? this.#file(user, except) : undefined;
    // The inner store rejects after it was closed.
    await this.#inner.raiseEpoch(user, kept === undefined ? undefined : except);
    const epoch = withFiles(() => {
      const next = this.#epochs.raise(folderOf(user));
      const line = kept === undefined ? undefined : readLine(kept);
      if (kept !== undefined && line !== undefined) rewrite(kept, formatLine(line, { ...line.epochs, user: next }));
      return next;
    });
    await removeFilesBefore(await this.#foldersOf(user), 'user', epoch);
    return epoch;
  }

  async clear(): Promise<number> {
    await this.#inner.clear();
    const epoch = withFiles(() => this.#epochs.raise(everyone));
    await removeFilesBefore(await this.#folders(), 'everyone', epoch);
    return epoch;
  }

  /** Removes expired sessions that were never listed from the folder of this process. Runs every ten minutes. Forgets
   * the known epochs too, because some of their files are gone. */
  async tidy(): Promise<void> {
    this.#epochsIn.clear();
    for (const user of await namesIn(this.#folder.own)) {
      const folder = path.join(this.#folder.own, user);
      for (const file of await filesIn(folder)) {
        const line = await readLineLater(file);
        if (line !== undefined && this.#now() >= line.untilMs) await removeFile(file);
      }
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
    return [this.#folder.own, folderOf(user), handleOfId(id)].join(path.sep);
  }

  /**
   * Returns the epochs in the file of a session. Undefined if the session has ended.
   *
   * While the known epochs are the present ones, the existence of the file is enough: a file gets other epochs only
   * after the present ones were raised.
   */
  #readPresent(user: string, file: string): Epochs | undefined {
    const known = this.#epochsIn.get(file);
    if (known !== undefined && existsSync(file) && this.#isPresent(user, known)) return known;
    const epochs = withFiles(() => readLine(file))?.epochs;
    if (epochs === undefined || !this.#isPresent(user, epochs)) return undefined;
    this.#epochsIn.set(file, epochs);
    return epochs;
  }

  /** Returns the folder of a user in each process. */
  async #foldersOf(user: string): Promise<readonly string[]> {
    return (await this.#owners()).map(owner => path.join(owner, folderOf(user)));
  }

  /** Returns a live session. Undefined if it has ended. */
  async #readLive(user: string, file: string): Promise<SessionSummary | undefined> {
    const line = await readLineLater(file);
    if (line === undefined || this.#now() >= line.untilMs || !this.#isPresent(user, line.epochs)) return undefined;
    const { createdAtMs, untilMs: idleUntilMs, client } = line;
    return buildSummary({ handle: path.basename(file), createdAtMs, idleUntilMs, client });
  }

  #isPresent(user: string, epochs: Epochs): boolean {
    return withFiles(
      () => this.#epochs.isPresent(folderOf(user), epochs.user) && this.#epochs.isPresent(everyone, epochs.everyone),
    );
  }

  /** Returns every folder of every user in every process. */
  async #folders(): Promise<readonly string[]> {
    const users = (await this.#owners()).map(async owner => (await namesIn(owner)).map(user => path.join(owner, user)));
    return (await Promise.all(users)).flat();
  }

  /** Returns the folder of each process. */
  async #owners(): Promise<readonly string[]> {
    const { directory } = this.#folder;
    const names = await namesIn(directory);
    return names.filter(name => name !== epochsFolder).map(name => path.join(directory, name));
  }
}

/** Removes the files of sessions with an older epoch from these folders. */
async function removeFilesBefore(folders: readonly string[], scope: keyof Epochs, epoch: number): Promise<void> {
  for (const folder of folders) {
    const files = await filesIn(folder);
    for (let at = 0; at < files.length; at += filesAtOnce)
      await Promise.all(files.slice(at, at + filesAtOnce).map(file => removeBefore(file, scope, epoch)));
  }
}

/** Returns a folder name. It is a hash, so that no foreign name becomes a path. */
function folderOf(user: string): string {
  return hash('sha256', user, 'hex').slice(0, 32);
}
