import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nextEpoch } from '#src/sessions/epochs.js';

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
