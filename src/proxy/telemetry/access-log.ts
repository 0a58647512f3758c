import { open } from 'node:fs';
import { promisify } from 'node:util';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import type { ServedRequest } from '../served-request.js';

type Destination = ReturnType<typeof pino.destination>;

/** Lines are written in batches: one system call for about forty requests. */
const togetherBytes = 8 * 1024;
/** The piece that a pipe takes whole (PIPE_BUF). Longer writes would mix the lines of workers that share stdout. */
const pipeBytes = 4096;
/** The longest wait of a line in a quiet proxy. */
const flushMs = 1000;
/** Limits memory when a disk is slow or a reader has stopped: further lines are lost. */
const waitingBytesMax = 4 * 1024 * 1024;
/** Time limit for the waiting lines when the log is closed. */
const closeMs = 2000;
/** Mode of a new file. The log shows which client asked for what. */
const fileMode = 0o640;

/** Writes one line of JSON per request. Never a cookie, an Authorization or a query: see `served-request.ts`. */
export class AccessLog {
  readonly #destination: Destination;
  readonly #logger: Logger;
  #lost = 0;
  #failing = false;

  /**
   * Appends to `file`; `-` is stdout. If the file cannot be opened, rejects with the system's error and a clearer
   * message. If a later write fails, a Node warning says so once.
   */
  static async open(file: string): Promise<AccessLog> {
    const dest = file === '-' ? process.stdout.fd : await promisify(open)(file, 'a', fileMode).catch(refuseFile(file));
    const together = file === '-' ? { minLength: pipeBytes / 2, maxWrite: pipeBytes } : { minLength: togetherBytes };
    const limits = { ...together, periodicFlush: flushMs, maxLength: waitingBytesMax };
    return new AccessLog(pino.destination({ dest, sync: false, ...limits }), file);
  }

  private constructor(destination: Destination, file: string) {
    this.#destination = destination;
    // pino calls this at exit with lines waiting. On a full disk it would retry for ever and the process would not
    // exit.
    destination.flushSync = () => {};
    const stream: DestinationStream = destination;
    // pino requires a level field; a request has none, so a constant field replaces it.
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

  /** Lines dropped because too many were waiting. */
  get lost(): number {
    return this.#lost;
  }

  write(request: ServedRequest): void {
    this.#logger.info(buildLine(request));
  }

  /** Resolves when the waiting lines are written, or cannot be. */
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

function buildLine({ secure, headMs, totalMs, ...rest }: ServedRequest): object {
  return { ...rest, tls: secure, headMs: roundMs(headMs), totalMs: roundMs(totalMs) };
}

function roundMs(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : Math.round(durationMs * 1000) / 1000;
}
