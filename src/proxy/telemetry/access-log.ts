import { close, constants, fstatSync, open, statSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { ServedRequest } from './served-request.js';

const openFile = promisify(open);
const writeFile = promisify(write);
const closeFile = promisify(close);

const fileLimits = {
  /** Lines are written in batches: one system call for about forty requests. */
  togetherMin: 8 * 1024,
  pieceMax: 64 * 1024,
};
const pipeLimits = {
  togetherMin: 2 * 1024,
  /** The piece that a pipe takes whole (PIPE_BUF). Longer writes would mix the lines of workers that share it. */
  pieceMax: 4096,
};
const limits = {
  /** The longest wait of a line in a quiet proxy. */
  flushMs: 1000,
  waitingMax: 4 * 1024 * 1024,
  /** A reader that keeps up needs a few milliseconds to empty a pipe. */
  retryMsMin: 2,
  retryMsMax: 100,
};
/** Time limit for the waiting lines when the log is closed. */
const closeMs = 2000;
/** Mode of a new file. The log shows which client asked for what. */
const fileMode = 0o640;
/** Not blocking: a FIFO without a reader would hold a thread for ever, and the process could not end. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;

/** Writes one line of JSON per request. Never a cookie, an Authorization or a query: see `served-request.ts`. */
export class AccessLog {
  readonly #writer: LineWriter;
  readonly #logger: Logger;
  readonly #file: string;

  /**
   * Appends to `file`; `-` is stdout. If the file cannot be opened, rejects with the system's error and a clearer
   * message. A FIFO may have no reader yet: lines wait for it. If a write fails, a Node warning says so once.
   */
  static async open(file: string): Promise<AccessLog> {
    const source = file === '-' ? await openStdout() : await openNamed(file);
    const isPipe = source.fd === undefined || fstatSync(source.fd).isFIFO();
    const onFailure = (error: NodeJS.ErrnoException) =>
      process.emitWarning(`access log ${file}: ${explain(error)}; lines wait, then are lost`);
    const settings = { ...limits, ...(isPipe ? pipeLimits : fileLimits), ...source, onFailure };
    return new AccessLog(new LineWriter(settings, source.fd), file);
  }

  private constructor(writer: LineWriter, file: string) {
    this.#writer = writer;
    this.#file = file;
    const stream: DestinationStream = { write: line => writer.write(line) };
    // pino requires a level field; a request has none, so a constant field replaces it.
    this.#logger = pino(
      { base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: () => ({ log: 'access' }) } },
      stream,
    );
  }

  /** Lines that were not written and never will be. */
  get lost(): number {
    return this.#writer.lost;
  }

  write(request: ServedRequest): void {
    this.#logger.info(buildLine(request));
  }

  /** Resolves when the waiting lines are written, or cannot be. */
  async close(): Promise<void> {
    await this.#writer.close(closeMs);
    if (this.lost > 0) process.emitWarning(`access log ${this.#file}: lines lost: ${this.lost}`);
  }
}

interface Source {
  readonly fd: number | undefined;
  readonly isShared: boolean;
  readonly open: () => Promise<number>;
}

async function openNamed(file: string): Promise<Source> {
  const again = () => openFile(file, flags | constants.O_CREAT, fileMode);
  const fd = await again().catch(error => {
    if (error.code === 'ENXIO' && isFifo(file)) return undefined;
    throw refuseFile(file, error);
  });
  return { fd, isShared: false, open: again };
}

/**
 * Opens the pipe on stdout once more, to write without blocking. On the existing descriptor, other processes that share
 * it would get that mode too. Other kinds of stdout are used as they are.
 */
async function openStdout(): Promise<Source> {
  const fd = 1;
  const own = fstatSync(fd).isFIFO() ? await openFile(`/proc/self/fd/${fd}`, flags).catch(() => undefined) : undefined;
  return { fd: own ?? fd, isShared: own === undefined, open: () => Promise.resolve(fd) };
}

function isFifo(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFIFO() ?? false;
}

function refuseFile(file: string, error: NodeJS.ErrnoException): Error {
  const message = `--access-log "${file}" cannot be written (${error.code}): expected a file, a FIFO, or "-".`;
  return Object.assign(error, { message });
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ENXIO' || code === 'EPIPE' ? 'no process reads it' : message;
}

function buildLine({ secure, headMs, totalMs, ...rest }: ServedRequest): object {
  return { ...rest, tls: secure, headMs: roundMs(headMs), totalMs: roundMs(totalMs) };
}

function roundMs(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : Math.round(durationMs * 1000) / 1000;
}

interface LineWriterSettings {
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
class LineWriter {
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
