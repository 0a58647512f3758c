import cluster, { type Worker } from 'node:cluster';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { packageFile } from '../../shared/package.js';
import type { ServingOptions } from '../options.js';
import { type ToPrimary, type ToWorker, toError } from './messages.js';

/** A worker that does not report in this time keeps its last counts. */
const reportMs = 2000;
/** The worker may have to open a log on a slow file system. */
const reloadMs = 10_000;
/** Extra time after the grace period; then a hung worker is killed. */
const lateMs = 2000;
/** A worker reports once per second. After this many checks without a report it gets no connections, and then is killed. */
export const silentChecks = 3;
export const killChecks = 10;
export const watchEveryMs = 1000;

/** A worker process, as the primary sees it. */
export class WorkerProcess {
  /** Resolves when it takes connections. Rejects when the worker cannot serve, or ended before it did. */
  readonly serving: Promise<void>;
  /** Resolves with the signal or exit code. */
  readonly ended: Promise<string>;
  readonly #handed: HandedConnections;
  readonly #worker: Worker;
  readonly #answers = new Map<number, (answer: ToPrimary | undefined) => void>();
  /** Messages to send when the worker is ready; undefined from then on. */
  #waiting: ToWorker[] | undefined;
  #asked = 0;
  #reasonOfEnd: string | undefined;
  /** The number of checks since its last message. Undefined until it takes connections. */
  #missedChecks: number | undefined;
  /** Why the primary has killed it. */
  #whyKilled = '';

  /** `onMessage` is called for each message of the worker; reports are processed before requests for them resolve. */
  constructor(serve: Extract<ToWorker, { kind: 'serve' }>, onMessage: (message: ToPrimary) => void) {
    const worker = cluster.fork(maskSecretVariables());
    this.#worker = worker;
    this.#handed = new HandedConnections(worker.process);
    this.ended = new Promise(resolve => {
      worker.once('error', error => resolve(error.message));
      worker.once('exit', (code: number | null, signal: string | null) =>
        resolve(`${signal ?? `exit code ${code}`}${this.#whyKilled}`),
      );
    });
    this.serving = new Promise((resolve, reject) => {
      worker.on('message', (message: ToPrimary) => {
        if (this.#missedChecks !== undefined || message.kind === 'serving') this.#missedChecks = 0;
        if (message.kind === 'ready') this.#sendWaiting();
        else if (message.kind === 'serving') resolve();
        else if (message.kind === 'failed') reject(toError(message.error));
        else onMessage(message);
        if ('number' in message) this.#answers.get(message.number)?.(message);
      });
      void this.ended.then(how => reject(new Error(`a worker ended before it could serve (${how})`)));
    });
    // A replacement worker's `serving` has no handler that knows errors; its end is handled instead.
    this.serving.catch(() => {});
    void this.ended.then(how => this.#onEnded(how));
    this.#waiting = [serve];
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  /** The signal or exit code; undefined while it runs. */
  get reasonOfEnd(): string | undefined {
    return this.#reasonOfEnd;
  }

  /** It is stopped or hangs. It gets no new connections. */
  get isSilent(): boolean {
    return (this.#missedChecks ?? 0) >= silentChecks;
  }

  /** It takes connections and reports. */
  get isServing(): boolean {
    return this.isRunning && !this.isSilent;
  }

  /** It takes connections, and is not about to end. */
  get isRunning(): boolean {
    return this.#missedChecks !== undefined && this.#reasonOfEnd === undefined && this.#whyKilled === '';
  }

  /** It has been silent for too long, and must be killed. */
  get isOverdue(): boolean {
    return (this.#missedChecks ?? 0) >= killChecks && this.isRunning;
  }

  /**
   * Checks whether the worker reports. Called once per second. It counts checks and not time, so that no worker counts as
   * silent after the whole machine was suspended. Returns whether it has just become silent.
   */
  watch(): boolean {
    if (!this.isRunning) return false;
    this.#missedChecks = (this.#missedChecks ?? 0) + 1;
    return this.#missedChecks === silentChecks;
  }

  /** Kills a worker that does not report. */
  killSilent(): void {
    this.#kill(`, it did not report for ${this.#missedChecks} s`);
  }

  #kill(why: string): void {
    this.#whyKilled = why;
    this.#worker.process.kill('SIGKILL');
  }

  /** The number of connections that it has not taken yet. A worker that is stopped takes none. */
  get waiting(): number {
    return this.#handed.size;
  }

  /**
   * Passes on a connection. `onLost` gets it back if it cannot be sent. Messages and connections arrive in the order in
   * which they were sent.
   */
  take(socket: Socket, onLost: (socket: Socket) => void): void {
    this.#handed.send(socket, onLost);
  }

  /** Returns the connections that it has not taken. */
  takeBack(): readonly Socket[] {
    return this.#handed.takeBack();
  }

  send(message: ToWorker): void {
    if (this.#waiting !== undefined) this.#waiting.push(message);
    // The channel of a worker that has just died is closed; `ended` reports its end.
    else if (this.#reasonOfEnd === undefined) this.#worker.send(message, () => {});
  }

  #sendWaiting(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.send(message);
  }

  /** Resolves when the worker has reported, has ended, or timed out. */
  async report(): Promise<void> {
    await this.#ask(number => ({ kind: 'report', number }), reportMs);
  }

  /** Rejects when the worker cannot use the options or times out. A worker that has ended needs no reload. */
  async reload(options: ServingOptions): Promise<void> {
    const answer = await this.#ask(number => ({ kind: 'reload', number, options }), reloadMs);
    if (answer?.kind === 'reloaded' && answer.error !== undefined) throw toError(answer.error);
    if (answer === undefined && this.#reasonOfEnd === undefined)
      throw new Error(`worker ${this.pid} did not answer in ${reloadMs} ms`);
  }

  /** Resolves with the answer; undefined when the worker has ended or timed out. */
  #ask(message: (number: number) => ToWorker, withinMs: number): Promise<ToPrimary | undefined> {
    if (this.#reasonOfEnd !== undefined) return Promise.resolve(undefined);
    this.#asked += 1;
    const number = this.#asked;
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#answers.get(number)?.(undefined), withinMs);
      this.#answers.set(number, answer => {
        clearTimeout(timer);
        this.#answers.delete(number);
        resolve(answer);
      });
      this.send(message(number));
    });
  }

  /** Resolves when it has ended. */
  async close(graceMs: number, hasSuccessor: boolean): Promise<void> {
    this.send({ kind: 'close', graceMs, hasSuccessor });
    const timer = setTimeout(() => this.#kill(', it did not end in time'), graceMs + lateMs);
    await this.ended;
    clearTimeout(timer);
  }

  #onEnded(how: string): void {
    this.#reasonOfEnd = how;
    for (const answered of [...this.#answers.values()]) answered(undefined);
  }
}

/** Must be called before the first worker starts. */
export function prepareWorkers(): void {
  // Structured clones keep the bytes of keys and undefined fields.
  cluster.setupPrimary({ exec: packageFile('dist/proxy/workers/worker.js'), args: [], serialization: 'advanced' });
}

/** A new process needs this many: a channel, and a pipe by which the system reports that it cannot start. */
const reservedCount = 8;

/** Holds file descriptors back, so that a worker can be replaced while a flood of connections takes all others. */
export class DescriptorReserve {
  #held: number[] = [];

  /** Frees the descriptors, calls `use`, and reserves them again. */
  lend<T>(use: () => T): T {
    this.release();
    try {
      return use();
    } finally {
      this.#hold();
    }
  }

  release(): void {
    for (const fd of this.#held) closeSync(fd);
    this.#held = [];
  }

  /** Holds as many as it can open. The next call tries to open the others. */
  #hold(): void {
    try {
      while (this.#held.length < reservedCount) this.#held.push(openSync('/dev/null', 'r'));
    } catch {}
  }
}

/** Keys travel over the channel: an environment can be read by others, and lasts as long as the process. */
function maskSecretVariables(): Record<string, undefined> {
  const secret = Object.keys(process.env).filter(name => /^HOLDFAST_.*(?:SECRET|TOKEN)/.test(name));
  return Object.fromEntries(secret.map(name => [name, undefined]));
}

/** The process of a worker, as far as `HandedConnections` needs it. */
interface Channel {
  send(message: ToWorker, socket: Socket, options: { keepOpen: true }, sent: (error: Error | null) => void): boolean;
  on(event: string, listener: (message: unknown) => void): unknown;
}

/** Node's answers to a connection: the other process has it, or has not got it. */
const connectionAnswers: ReadonlySet<unknown> = new Set(['NODE_HANDLE_ACK', 'NODE_HANDLE_NACK']);

/**
 * Sends connections to a worker, and keeps a copy of each until the worker has taken it. A stopped worker takes none.
 * When it dies, its connections are sent to other workers.
 *
 * Node sends one connection at a time, and waits for the answer of the other process. That answer is internal to Node. If
 * a version of Node changes it, a copy is closed when the next connection is sent, and nothing else changes.
 */
class HandedConnections {
  readonly #all = new Set<Socket>();
  /** It was sent, and the worker has not answered yet. */
  #sent: Socket | undefined;
  readonly #process: Channel;

  constructor(process: Channel) {
    this.#process = process;
    process.on('internalMessage', (message: unknown) => {
      if (connectionAnswers.has(readCommand(message))) this.#closeSent();
    });
  }

  /** The number of connections that the worker has not taken yet. */
  get size(): number {
    return this.#all.size;
  }

  /** `onLost` gets the connection back if it cannot be sent. */
  send(socket: Socket, onLost: (socket: Socket) => void): void {
    this.#all.add(socket);
    socket.once('close', () => this.#all.delete(socket));
    this.#process.send({ kind: 'connection' }, socket, { keepOpen: true }, error => {
      if (!this.#all.has(socket)) return;
      if (error === null) return void this.#onSent(socket);
      this.#all.delete(socket);
      onLost(socket);
    });
  }

  /** Returns the connections that the worker has not taken. */
  takeBack(): readonly Socket[] {
    const sockets = [...this.#all];
    this.#all.clear();
    this.#sent = undefined;
    return sockets;
  }

  #onSent(socket: Socket): void {
    this.#closeSent();
    this.#sent = socket;
  }

  #closeSent(): void {
    const sent = this.#sent;
    this.#sent = undefined;
    if (sent === undefined) return;
    this.#all.delete(sent);
    sent.destroy();
  }
}

function readCommand(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'cmd' in message ? message.cmd : undefined;
}
