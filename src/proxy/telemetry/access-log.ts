import { open } from 'node:fs';
import { promisify } from 'node:util';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { ServedRequest } from '../served-request.js';

type Destination = ReturnType<typeof pino.destination>;

/** Lines are written together: one write to the system serves some forty requests. */
const togetherBytes = 8 * 1024;
/** Several workers share stdout: a pipe takes this much in one piece (PIPE_BUF), and longer writes mix their lines. */
const pipeBytes = 4096;
/** A quiet proxy's lines wait at most so long. */
const flushMs = 1000;
/** A disk that does not keep up, or a reader that has stopped, must not take the proxy's memory: lines are lost. */
const waitingBytesMax = 4 * 1024 * 1024;
/** So long what waits may take to be written when the log is closed. */
const closeMs = 2000;
/** Of the file, when it is made: it tells who asked for what. */
const fileMode = 0o640;

/** One line of JSON for each request. Never a cookie, an Authorization or a query: see `served-request.ts`. */
export class AccessLog {
  readonly #destination: Destination;
  readonly #logger: Logger;
  #lost = 0;
  #failing = false;

  /**
   * Appends to `file`; `-` is stdout. Rejects with the system's error, in our words, when it cannot be opened. When it
   * cannot be written later, Node's warning says so once.
   */
  static async open(file: string): Promise<AccessLog> {
    const dest = file === '-' ? process.stdout.fd : await promisify(open)(file, 'a', fileMode).catch(refuseFile(file));
    const together = file === '-' ? { minLength: pipeBytes / 2, maxWrite: pipeBytes } : { minLength: togetherBytes };
    const limits = { ...together, periodicFlush: flushMs, maxLength: waitingBytesMax };
    return new AccessLog(pino.destination({ dest, sync: false, ...limits }), file);
  }

  private constructor(destination: Destination, file: string) {
    this.#destination = destination;
    // What a process does that exits with lines waiting. It would try for ever on a full disk, and the process stay.
    destination.flushSync = () => {};
    const stream: DestinationStream = destination;
    // In place of a level, of which a request has none; pino insists on a field there.
    this.#logger = pino(
      { base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: () => ({ log: 'access' }) } },
      stream,
    );
    destination.on('drop', () => (this.#lost += 1));
    destination.on('drain', () => (this.#failing = false));
    destination.on('error', (error: NodeJS.ErrnoException) => {
      if (!this.#failing) process.emitWarning(`access log ${file}: ${error.message}; lines wait, then are lost`);
      this.#failing = true;
    });
  }

  /** Lines that were not written because too many waited already. */
  get lost(): number {
    return this.#lost;
  }

  write(request: ServedRequest): void {
    this.#logger.info(lineOf(request));
  }

  /** Resolves when what waits is written, or cannot be. */
  close(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#destination.destroy();
        resolve();
      }, closeMs);
      this.#destination.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#destination.end();
    });
  }
}

function refuseFile(file: string): (error: NodeJS.ErrnoException) => never {
  return error => {
    const message = `--access-log "${file}" cannot be written (${error.code}): expected a file, or "-".`;
    throw Object.assign(error, { message });
  };
}

function lineOf({ secure, headMs, totalMs, ...rest }: ServedRequest): object {
  return { ...rest, tls: secure, headMs: rounded(headMs), totalMs: rounded(totalMs) };
}

function rounded(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : Math.round(durationMs * 1000) / 1000;
}
