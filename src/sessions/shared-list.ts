import { hash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { StoreUnavailable } from './errors.js';
import type { SessionRecord, SessionSummary } from './session.js';
import { digestOf, handleOf } from './session-id.js';
import type { SessionStore } from './session-store.js';

const listedMax = 1_000;
const handleShape = /^[0-9a-f]{16}$/;

export interface SharedListSettings {
  /** Shared by all processes. */
  readonly directory: string;
  /** Which of them this is, without `~`. No two that run at the same time have the same name. */
  readonly name: string;
  readonly now: () => number;
}

/**
 * Who has a session in the memory of which process, in a directory that all of them share, so that each can list and end
 * the sessions of them all: `<name>~<boot>/<digest of the user>/<handle>`. What a session holds stays in the memory of its
 * process. A session without its file has been ended by somebody else.
 *
 * unlink(2) decides who has ended a session: exactly one of several succeeds.
 */
export class SharedList implements SessionStore {
  readonly #inner: SessionStore;
  readonly #root: string;
  readonly #own: string;
  readonly #now: () => number;

  /** The process before this one of the same name has lost its memory: its list goes too. Throws what the file system
   * says when there can be no such directory. */
  constructor(inner: SessionStore, { directory, name, now }: SharedListSettings) {
    this.#inner = inner;
    this.#root = directory;
    this.#own = path.join(directory, `${name}~${randomBytes(8).toString('hex')}`);
    this.#now = now;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const former = readdirSync(directory).filter(each => each.startsWith(`${name}~`));
    for (const each of former) rmSync(path.join(directory, each), { recursive: true, force: true });
    mkdirSync(this.#own, { recursive: true, mode: 0o700 });
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const record = await this.#inner.read(id);
    if (record === undefined || existsSync(this.#file(record.user, id))) return record;
    await this.#inner.remove(id);
    return undefined;
  }

  async create(id: string, record: SessionRecord): Promise<void> {
    await this.#inner.create(id, record);
    try {
      const file = this.#file(record.user, id);
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      await writeFile(`${file}.new`, line(record.createdAtMs, record), { mode: 0o600 });
      // Nobody may see it while it is empty: it would look like one that is past its deadline.
      await rename(`${file}.new`, file);
    } catch (error) {
      await this.#inner.remove(id);
      throw unavailable(error);
    }
  }

  async replace(id: string, record: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    return (await this.read(id)) === undefined ? 'gone' : this.#inner.replace(id, record);
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const record = await this.read(id);
    if (record === undefined || !(await this.#inner.touch(id, idleUntilMs))) return false;
    await rewrite(this.#file(record.user, id), line(record.createdAtMs, { ...record, idleUntilMs }));
    return true;
  }

  /** `gone`, so that a rotation revives nothing, when somebody else has ended it. */
  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const record = await this.#inner.read(id);
    const outcome = await this.#inner.remove(id, onlyVersion);
    if (record === undefined || outcome !== 'removed') return outcome;
    return (await unlinked(this.#file(record.user, id))) ? 'removed' : 'gone';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    // The inner store answers nothing when it is closed.
    await this.#inner.listByUser(user);
    const listed = await this.#listed(user);
    return listed.map(({ summary }) => summary).slice(0, listedMax);
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    await this.#inner.removeByHandle(user, handle);
    const found = (await this.#listed(user)).find(({ summary }) => summary.handle === handle);
    return found !== undefined && unlinked(found.file);
  }

  async clear(): Promise<void> {
    await this.#inner.clear();
    const users = (await this.#folders()).map(folder => filesIn(folder));
    await Promise.all((await Promise.all(users)).flat().map(unlinked));
  }

  ready(withinMs: number): Promise<boolean> {
    return this.#inner.ready(withinMs);
  }

  async close(): Promise<void> {
    await this.#inner.close();
    rmSync(this.#own, { recursive: true, force: true });
  }

  #file(user: string, id: string): string {
    return path.join(this.#own, folderOf(user), handleOf(digestOf(id)));
  }

  async #listed(user: string): Promise<readonly Listed[]> {
    const owners = await namesIn(this.#root);
    const folders = owners.map(owner => path.join(this.#root, owner, folderOf(user)));
    const files = (await Promise.all(folders.map(filesIn))).flat();
    const listed = await Promise.all(files.map(file => this.#living(file)));
    return listed.filter(each => each !== undefined);
  }

  /** Undefined for what is past its deadline, and for what is gone by now. */
  async #living(file: string): Promise<Listed | undefined> {
    const text = await readFile(file, 'utf8').catch(() => '');
    const [createdAtMs = 0, idleUntilMs = 0] = text.split(' ').map(Number);
    if (this.#now() < idleUntilMs) return { file, summary: { handle: path.basename(file), createdAtMs, idleUntilMs } };
    await unlinked(file);
    return undefined;
  }

  /** One for each user of each process. */
  async #folders(): Promise<readonly string[]> {
    const owners = (await namesIn(this.#root)).map(owner => path.join(this.#root, owner));
    const users = owners.map(async owner => (await namesIn(owner)).map(user => path.join(owner, user)));
    return (await Promise.all(users)).flat();
  }
}

interface Listed {
  readonly file: string;
  readonly summary: SessionSummary;
}

/** No name from outside becomes a path. */
function folderOf(user: string): string {
  return hash('sha256', user, 'hex').slice(0, 32);
}

/** Of the same length each time, 13 digits until the year 2286, so that it can be rewritten in place. */
function line(
  createdAtMs: number,
  { idleUntilMs, absoluteUntilMs }: Pick<SessionRecord, 'idleUntilMs' | 'absoluteUntilMs'>,
): string {
  return `${createdAtMs} ${Math.min(idleUntilMs, absoluteUntilMs)}`;
}

/** In place and only if it is there: one that was ended meanwhile must not come back. */
async function rewrite(file: string, text: string): Promise<void> {
  const handle = await open(file, 'r+').catch(() => undefined);
  await handle?.write(text, 0).finally(() => handle.close());
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await namesIn(folder);
  return names.filter(name => handleShape.test(name)).map(name => path.join(folder, name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(error => unlessMissing(error, []));
}

/** False when it was not there (any more). */
async function unlinked(file: string): Promise<boolean> {
  return unlink(file).then(
    () => true,
    error => unlessMissing(error, false),
  );
}

function unlessMissing<T>(error: unknown, instead: T): T {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return instead;
  throw unavailable(error);
}

function unavailable(error: unknown): StoreUnavailable {
  return new StoreUnavailable('the list of sessions cannot be read or changed', { cause: error });
}
