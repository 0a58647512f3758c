import { close, write } from 'node:fs';
import { promisify } from 'node:util';

const writeFile = promisify(write);
const closeFile = promisify(close);

export interface LineWriterSettings {
  /** Opens the file for writes that never block. Rejects while no process reads a FIFO (`ENXIO`). */
  readonly open: () => Promise<number>;
  /** The file was opened elsewhere, so `close` leaves it open. */
  readonly isShared: boolean;
  /** One write has at most this many characters, unless a single line is longer. */
  readonly pieceMax: number;
  /** This many waiting characters are written at once. Fewer wait for `flushMs`. */
  readonly togetherMin: number;
  readonly flushMs: number;
  /** Limits memory when a disk is slow or a reader has stopped: further lines are lost. */
  readonly waitingMax: number;
  /** The pause after a write that failed. It doubles with each failure in a row, up to `retryMsMax`. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  /** Called once when writes begin to fail, and again after a success. */
  readonly onFailure: (error: NodeJS.ErrnoException) => void;
}

/** The piece that is being written. */
interface Piece {
  readonly bytes: Buffer;
  readonly lines: number;
  sent: number;
}

/**
 * Writes lines to a file, a FIFO or a pipe, many at a time. It never blocks a thread: a write to a full pipe is tried
 * again later. Lines wait in a bounded queue, and every line that is not written is counted as lost.
 */
export class LineWriter {
  readonly #settings: LineWriterSettings;
  readonly #timer: NodeJS.Timeout;
  #waiting: string[] = [];
  #waitingLength = 0;
  #piece: Piece | undefined;
  #fd: number | undefined;
  #flushed: Promise<void> | undefined;
  #isFailing = false;
  #failures = 0;
  #givesUp = false;
  #lost = 0;

  constructor(settings: LineWriterSettings, fd: number | undefined) {
    this.#settings = settings;
    this.#fd = fd;
    this.#timer = setInterval(() => void this.#flush(), settings.flushMs).unref();
  }

  /** The number of lines that were not written and never will be. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes a line with its line break. */
  write(line: string): void {
    const { waitingMax, togetherMin } = this.#settings;
    if (this.#givesUp || this.#waitingLength + line.length > waitingMax) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    if (this.#waitingLength >= togetherMin) void this.#flush();
  }

  /** Writes what waits, for at most `withinMs`. What is left then is lost. */
  async close(withinMs: number): Promise<void> {
    clearInterval(this.#timer);
    const timer = setTimeout(() => this.#giveUp(), withinMs);
    await this.#flush();
    clearTimeout(timer);
    this.#giveUp();
    if (this.#fd !== undefined && !this.#settings.isShared) await closeFile(this.#fd).catch(() => {});
    this.#fd = undefined;
  }

  #giveUp(): void {
    this.#givesUp = true;
    this.#lost += this.#waiting.length + (this.#piece?.lines ?? 0);
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#piece = undefined;
    this.#wake();
  }

  #wake = (): void => {};

  #flush(): Promise<void> {
    this.#flushed ??= this.#writeAll().finally(() => {
      this.#flushed = undefined;
    });
    return this.#flushed;
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      this.#piece ??= this.#takePiece();
      if (this.#piece === undefined) return;
      try {
        await this.#writePiece(this.#piece);
        this.#isFailing = false;
        this.#failures = 0;
      } catch (error) {
        this.#reportFailure(error);
        if (!this.#givesUp) await this.#pause();
      }
    }
  }

  async #writePiece(piece: Piece): Promise<void> {
    this.#fd ??= await this.#settings.open();
    while (piece.sent < piece.bytes.length && this.#piece === piece) {
      const { bytesWritten } = await writeFile(this.#fd, piece.bytes, piece.sent);
      piece.sent += bytesWritten;
    }
    this.#piece = undefined;
  }

  #takePiece(): Piece | undefined {
    let count = 0;
    let length = 0;
    for (const line of this.#waiting) {
      if (count > 0 && length + line.length > this.#settings.pieceMax) break;
      count += 1;
      length += line.length;
    }
    if (count === 0) return undefined;
    const bytes = Buffer.from(this.#waiting.splice(0, count).join(''));
    this.#waitingLength -= length;
    return { bytes, lines: count, sent: 0 };
  }

  /** A full pipe is no failure: its reader may be slow. */
  #reportFailure(error: unknown): void {
    const failure: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error));
    if (this.#isFailing || failure.code === 'EAGAIN') return;
    this.#isFailing = true;
    this.#settings.onFailure(failure);
  }

  /** Waits before the next try, or until `close` gives up. The timer keeps no process alive. */
  #pause(): Promise<void> {
    const { retryMsMin, retryMsMax } = this.#settings;
    const ms = Math.min(retryMsMax, retryMsMin * 2 ** this.#failures);
    this.#failures += 1;
    return new Promise(resolve => {
      this.#wake = resolve;
      setTimeout(resolve, ms).unref();
    });
  }
}
