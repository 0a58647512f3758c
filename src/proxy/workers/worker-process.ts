import cluster, { type Worker } from 'node:cluster';
import { packageFile } from '../../shared/package-file.js';
import type { ServingOptions } from '../options.js';
import { errorOf, type ToPrimary, type ToWorker } from './messages.js';

/** A worker that does not report for so long is counted as it was. */
const reportMs = 2000;
/** It may have a log to open, on whatever file system. */
const reloadMs = 10_000;
/** Beyond the grace: a worker that hangs is not waited for. */
const lateMs = 2000;

/** Only for the primary: what is known of one of its workers. */
export class WorkerProcess {
  /** Its port; rejects when it cannot listen, or ended before it did. */
  readonly listening: Promise<number>;
  /** With its signal or exit code. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #answers = new Map<number, (answer: ToPrimary | undefined) => void>();
  /** What it is to be sent when it is ready; undefined from then on. */
  #waiting: ToWorker[] | undefined;
  #asked = 0;
  #reasonOfEnd: string | undefined;

  /** `hear` gets what the worker tells, reports after they were taken note of. */
  constructor(serve: Extract<ToWorker, { kind: 'serve' }>, hear: (message: ToPrimary) => void) {
    const worker = cluster.fork(withoutSecrets());
    this.#worker = worker;
    this.ended = new Promise(resolve => {
      worker.once('error', error => resolve(error.message));
      worker.once('exit', (code: number | null, signal: string | null) => resolve(signal ?? `exit code ${code}`));
    });
    this.listening = new Promise((resolve, reject) => {
      worker.on('message', (message: ToPrimary) => {
        if (message.kind === 'ready') this.#sendWaiting();
        else if (message.kind === 'listening') resolve(message.port);
        else if (message.kind === 'failed') reject(errorOf(message.error));
        else hear(message);
        if ('number' in message) this.#answers.get(message.number)?.(message);
      });
      void this.ended.then(how => reject(new Error(`a worker ended before it could listen (${how})`)));
    });
    // Nobody listens to that of a worker that takes another's place: that it ended is what counts.
    this.listening.catch(() => {});
    void this.ended.then(how => this.#leave(how));
    this.#waiting = [serve];
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  /** Its signal or exit code; undefined while it runs. */
  get reasonOfEnd(): string | undefined {
    return this.#reasonOfEnd;
  }

  send(message: ToWorker): void {
    if (this.#waiting !== undefined) this.#waiting.push(message);
    // The channel of one that has just died is closed: its end is told otherwise.
    else if (this.#reasonOfEnd === undefined) this.#worker.send(message, () => {});
  }

  #sendWaiting(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.send(message);
  }

  /** Resolves when it has reported, is gone, or says nothing for too long. */
  async report(): Promise<void> {
    await this.#ask(number => ({ kind: 'report', number }), reportMs);
  }

  /** Rejects when it cannot use the options, or does not say that it does. One that is gone needs none. */
  async reload(options: ServingOptions): Promise<void> {
    const answer = await this.#ask(number => ({ kind: 'reload', number, options }), reloadMs);
    if (answer?.kind === 'reloaded' && answer.error !== undefined) throw errorOf(answer.error);
    if (answer === undefined && this.#reasonOfEnd === undefined)
      throw new Error(`worker ${this.pid} did not answer in ${reloadMs} ms`);
  }

  /** Its answer; undefined when it is gone, or says nothing for too long. */
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
  async close(graceMs: number): Promise<void> {
    this.send({ kind: 'close', graceMs });
    const timer = setTimeout(() => this.#worker.process.kill('SIGKILL'), graceMs + lateMs);
    await this.ended;
    clearTimeout(timer);
  }

  #leave(how: string): void {
    this.#reasonOfEnd = how;
    for (const answered of [...this.#answers.values()]) answered(undefined);
  }
}

/** Before the first worker is started. Connections are dealt out in turn: `docs/proxy.md` says what was measured. */
export function prepareWorkers(): void {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // Structured clones: keys of the ring arrive as bytes, and what is undefined stays so.
  cluster.setupPrimary({ exec: packageFile('dist/proxy/workers/worker.js'), args: [], serialization: 'advanced' });
}

/** The keys go by the channel: an environment can be read by others, and lasts as long as the process. */
function withoutSecrets(): Record<string, undefined> {
  const secret = Object.keys(process.env).filter(name => /^HOLDFAST_.*(?:SECRET|TOKEN)/.test(name));
  return Object.fromEntries(secret.map(name => [name, undefined]));
}
