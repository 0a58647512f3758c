import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { clientText, parseClient, type SessionClient } from '#src/sessions/client.js';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { type Epochs, type NewSessionRecord, nextEpoch, type SessionRecord } from '#src/sessions/session.js';

export const handleShape = /^[0-9a-f]{16}$/;

/** The content of a file in the list. */
interface Line {
  readonly createdAtMs: number;
  /** The earlier of the idle and the absolute deadline. */
  readonly untilMs: number;
  readonly epochs: Epochs;
}

/** The content of a file, with its second line. */
interface ListedLine extends Line {
  readonly client: SessionClient | undefined;
}

export function lineOf({
  createdAtMs,
  idleUntilMs,
  absoluteUntilMs,
}: Omit<SessionRecord, 'epochs'>): Omit<Line, 'epochs'> {
  return { createdAtMs, untilMs: Math.min(idleUntilMs, absoluteUntilMs) };
}

/** Returns the first line of a file. Its length is constant (13 digits until the year 2286), so that it can be rewritten
 * in place. */
export function formatLine({ createdAtMs, untilMs }: Omit<Line, 'epochs'>, { user, everyone }: Epochs): string {
  return [createdAtMs, untilMs, user, everyone].map(Math.floor).join(' ');
}

/** Returns the text of a new file. The second line is the client that began the session. */
export function formatFile(record: NewSessionRecord, epochs: Epochs): string {
  return `${formatLine(lineOf(record), epochs)}\n${clientText(record.client)}`;
}

function parseLine(text: string): Line {
  const numbers = text.split('\n', 1)[0]?.split(' ').map(Number) ?? [];
  const [createdAtMs = 0, untilMs = 0, user = 0, everyone = 0] = numbers;
  return { createdAtMs, untilMs, epochs: { user, everyone } };
}

/** Returns the content of a file. Undefined if there is none. */
export function readLine(file: string): Line | undefined {
  try {
    return parseLine(readFileSync(file, 'utf8'));
  } catch (error) {
    return ignoreMissing(error, undefined);
  }
}

export async function readLineLater(file: string): Promise<ListedLine | undefined> {
  const text = await readFile(file, 'utf8').catch(error => ignoreMissing(error, undefined));
  return text === undefined ? undefined : { ...parseLine(text), client: parseClient(text.split('\n')[1]) };
}

/** Writes a new file. Tries again if the empty folder was removed just before. */
export async function writeNew(file: string, text: string): Promise<void> {
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
export function rewrite(file: string, text: string): void {
  try {
    const descriptor = openSync(file, 'r+');
    try {
      writeSync(descriptor, text, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    ignoreMissing(error, undefined);
  }
}

/** Runs a step on the file system. An error becomes `StoreUnavailable`. */
export function withFiles<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw toUnavailable(error);
  }
}

export async function removeBefore(file: string, scope: keyof Epochs, epoch: number): Promise<void> {
  const line = await readLineLater(file);
  if (line !== undefined && line.epochs[scope] < epoch) await removeFile(file);
}

export async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await namesIn(folder);
  return names.filter(name => handleShape.test(name)).map(name => path.join(folder, name));
}

export async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(error => ignoreMissing(error, []));
}

/** Removes a file. Resolves with false if it did not exist. */
export async function removeFile(file: string): Promise<boolean> {
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

export function toUnavailable(error: unknown): StoreUnavailable {
  return new StoreUnavailable('the list of sessions cannot be read or changed', { cause: error });
}

/** The folder with the epochs in the shared directory. */
export const epochsFolder = '.epochs';

/**
 * The epochs that several processes share: one folder per owner with one empty file. The name of the file is the
 * number. A rename raises it in one atomic step, and only one of several processes can rename it.
 *
 * The calls are synchronous, so that no other step of this process runs in between. They throw the errors of the file
 * system.
 */
export class EpochFiles {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(directory: string, now: () => number) {
    this.#folder = path.join(directory, epochsFolder);
    this.#now = now;
  }

  /** Returns the present epoch. Undefined if it was lost. */
  find(owner: string): number | undefined {
    try {
      const [name] = readdirSync(path.join(this.#folder, owner));
      return name === undefined ? undefined : Number(name);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** True if this is the present epoch. Each request asks, and `existsSync` costs least. It returns false for any error,
   * so `statSync` then looks again and throws it. */
  isPresent(owner: string, epoch: number): boolean {
    const file = `${this.#folder}${path.sep}${owner}${path.sep}${epoch}`;
    return existsSync(file) || statSync(file, { throwIfNoEntry: false }) !== undefined;
  }

  /** Returns the present epoch, which is at least `given`. Makes a missing one. */
  ensure(owner: string, given?: number): number {
    const found = this.find(owner);
    if (found === undefined) return this.#make(owner, given ?? nextEpoch(undefined, this.#now()));
    if (given === undefined || given <= found) return found;
    return this.#rename(owner, found, given) ? given : this.ensure(owner, given);
  }

  /** Returns a greater epoch, which is the present one from now on. */
  raise(owner: string): number {
    for (;;) {
      const found = this.find(owner);
      const next = nextEpoch(found, this.#now());
      if (found === undefined ? this.#make(owner, next) === next : this.#rename(owner, found, next)) return next;
    }
  }

  /** Makes a folder with the file. If another process is faster, returns the number of that one. */
  #make(owner: string, epoch: number): number {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const draft = mkdtempSync(path.join(this.#folder, 'draft-'));
    writeFileSync(path.join(draft, String(epoch)), '', { mode: 0o600 });
    try {
      renameSync(draft, path.join(this.#folder, owner));
      return epoch;
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      const found = this.find(owner);
      if (found === undefined) throw error;
      return found;
    }
  }

  /** Returns false if another process was faster. */
  #rename(owner: string, from: number, to: number): boolean {
    const folder = path.join(this.#folder, owner);
    try {
      renameSync(path.join(folder, String(from)), path.join(folder, String(to)));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
