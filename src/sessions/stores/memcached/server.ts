import { StoreUnavailable } from '../../errors.js';
import { pollUntilReady, withTimeout } from '../../in-time.js';
import type { StoreSettings } from '../../session-store.js';
import { type CallKind, StoreTransitions } from '../../store-transitions.js';
import { MemcachedConnection, Refused } from './connection.js';
import { type MemcachedAnswer, type MemcachedCommand, stats, version } from './questions.js';

const statisticsAgeMaxMs = 1_000;

/** Sends the commands of the store over a connection that reconnects by itself. Every failure becomes
 * `StoreUnavailable`. */
export class Server {
  readonly #deadlineMs: number;
  readonly #transitions: StoreTransitions;
  readonly #connection: MemcachedConnection;
  #statistics: { readonly atMs: number; readonly asked: Promise<MemcachedAnswer> } | undefined;

  constructor(address: { readonly host: string; readonly port: number }, { deadlineMs, onTransition }: StoreSettings) {
    const transitions = new StoreTransitions(onTransition);
    this.#deadlineMs = deadlineMs;
    this.#transitions = transitions;
    const [onUp, onDown] = [() => transitions.markUp(), (why: string) => transitions.markDown(why)];
    this.#connection = new MemcachedConnection({ ...address, deadlineMs, onUp, onDown });
  }

  /** Returns the deadline of work that begins now. */
  untilMs(): number {
    return performance.now() + this.#deadlineMs;
  }

  async ask(kind: CallKind, question: MemcachedCommand, untilMs: number): Promise<MemcachedAnswer> {
    try {
      if (performance.now() > untilMs) throw new Error(`it took more than ${this.#deadlineMs} ms`);
      const answer = await this.#connection.ask(question);
      this.#transitions.markServed(kind);
      return answer;
    } catch (error) {
      if (error instanceof Refused) this.#transitions.markRefused(kind, error.message);
      throw new StoreUnavailable('the session store does not answer', { cause: error });
    }
  }

  /** Applies the deadline to a sequence of commands. Each command could be in time, and the sequence late. */
  inTime<T>(work: (untilMs: number) => Promise<T>): Promise<T> {
    const late = () => new StoreUnavailable(`the session store took more than ${this.#deadlineMs} ms`);
    return withTimeout(this.#deadlineMs, work(this.untilMs()), late);
  }

  /** Returns the statistics of the server, at most a second old. */
  async statistics(): Promise<ReadonlyMap<string, string>> {
    const nowMs = performance.now();
    if (this.#statistics === undefined || nowMs - this.#statistics.atMs > statisticsAgeMaxMs) {
      this.#statistics = { atMs: nowMs, asked: this.ask('reads', stats, this.untilMs()) };
    }
    return (await this.#statistics.asked).statistics;
  }

  ready(waitMs: number): Promise<boolean> {
    const serves = () => this.#connection.ask(version).then(() => true);
    return pollUntilReady(waitMs, { serves, isOver: () => this.#connection.isClosed });
  }

  close(): void {
    this.#connection.close();
  }
}
