import { unwatchFile, watchFile } from 'node:fs';

/** How often the file is looked at. */
const lookMs = 500;
/** The file is read when it has not changed for this long: a program may still be writing it. */
const settledMs = 1000;

/** Calls `onChange` after the file has changed, and no more after `stop`. It also notices a file that was replaced. */
export class FileWatch {
  readonly #onChange: () => void;
  readonly #noticed = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, settledMs).unref();
  };
  #file: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches this file from now on, and no other. */
  follow(file: string | undefined): void {
    if (file === this.#file) return;
    this.stop();
    this.#file = file;
    if (file !== undefined) watchFile(file, { interval: lookMs, persistent: false }, this.#noticed);
  }

  stop(): void {
    if (this.#file !== undefined) unwatchFile(this.#file, this.#noticed);
    this.#file = undefined;
    clearTimeout(this.#timer);
  }
}
