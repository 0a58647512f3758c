import { constants, fstatSync, open, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { LineWriter } from './line-writer.js';
import type { ServedRequest } from './served-request.js';

const openFile = promisify(open);

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
 * Opens the pipe on stdout once more. The mode belongs to the opening: other processes that write to this pipe expect
 * writes that block. Other kinds of stdout are used as they are.
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
