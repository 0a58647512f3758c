import cluster, { type Worker } from 'node:cluster';
import type { Socket } from 'node:net';
import { packageFile } from '../../shared/package-file.js';
import type { ServingOptions } from '../options.js';
import { type ToPrimary, type ToWorker, toError } from './messages.js';

/** A worker that does not report in this time keeps its last counts. */
const reportMs = 2000;
/** The worker may have to open a log on a slow file system. */
const reloadMs = 10_000;
/** Extra time after the grace period; then a hung worker is killed. */
const lateMs = 2000;

/** A worker process, as the primary sees it. */
export class WorkerProcess {
  /** Resolves when it takes connections. Rejects when the worker cannot serve, or ended before it did. */
  readonly serving: Promise<void>;
  /** Resolves with the signal or exit code. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #answers = new Map<number, (answer: ToPrimary | undefined) => void>();
  /** Messages to send when the worker is ready; undefined from then on. */
  #waiting: ToWorker[] | undefined;
  /** Connections that are not on their way to it yet. */
  readonly #undelivered = new Set<Socket>();
  #isServing = false;
  #asked = 0;
  #reasonOfEnd: string | undefined;

  /** `onMessage` is called for each message of the worker; reports are processed before requests for them resolve. */
  constructor(serve: Extract<ToWorker, { kind: 'serve' }>, onMessage: (message: ToPrimary) => void) {
    const worker = cluster.fork(maskSecretVariables());
    this.#worker = worker;
    this.ended = new Promise(resolve => {
      worker.once('error', error => resolve(error.message));
      worker.once('exit', (code: number | null, signal: string | null) => resolve(signal ?? `exit code ${code}`));
    });
    this.serving = new Promise((resolve, reject) => {
      worker.on('message', (message: ToPrimary) => {
        if (message.kind === 'ready') this.#sendWaiting();
        else if (message.kind === 'serving') resolve(this.#takeConnections());
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

  /** The number of connections that wait to be sent to it. A worker that does not run takes none. */
  get waiting(): number {
    return this.#undelivered.size;
  }

  /** Whether it takes connections. */
  get isServing(): boolean {
    return this.#isServing && this.#reasonOfEnd === undefined;
  }

  /**
   * Passes on a connection. `onLost` gets it back if the worker ends before that. Messages and connections arrive in the
   * order in which they were sent.
   */
  take(socket: Socket, onLost: (socket: Socket) => void): void {
    this.#undelivered.add(socket);
    // This process keeps its copy until the other one is on its way: a dead worker would lose the connection.
    this.#worker.process.send({ kind: 'connection' } satisfies ToWorker, socket, { keepOpen: true }, error => {
      if (!this.#undelivered.delete(socket)) return;
      if (error === null) socket.destroy();
      else onLost(socket);
    });
    socket.once('close', () => this.#undelivered.delete(socket));
  }

  /** Returns the connections that were never sent to it. */
  takeBack(): readonly Socket[] {
    const sockets = [...this.#undelivered];
    this.#undelivered.clear();
    return sockets;
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
  async close(graceMs: number, isSucceeded: boolean): Promise<void> {
    this.send({ kind: 'close', graceMs, isSucceeded });
    const timer = setTimeout(() => this.#worker.process.kill('SIGKILL'), graceMs + lateMs);
    await this.ended;
    clearTimeout(timer);
  }

  #takeConnections(): void {
    this.#isServing = true;
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

/** Keys travel over the channel: an environment can be read by others, and lasts as long as the process. */
function maskSecretVariables(): Record<string, undefined> {
  const secret = Object.keys(process.env).filter(name => /^HOLDFAST_.*(?:SECRET|TOKEN)/.test(name));
  return Object.fromEntries(secret.map(name => [name, undefined]));
}
