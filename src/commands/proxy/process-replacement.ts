import { startSuccessor } from '../../proxy/restart/successor.js';
import type { ReplaceableProxy } from '../../proxy/restart/takeover.js';
import { messageOf } from '../../shared/error-message.js';
import { errorColours } from '../lib/streams.js';
import type { ProxySite } from './site.js';

/** The result of `ProcessReplacement.done`. */
export const replaced = Symbol('replaced');

/** Replaces this process with a new one that has the same sockets. */
export class ProcessReplacement {
  /** Resolves when a successor serves. */
  readonly done: Promise<typeof replaced>;
  readonly #proxy: Promise<ReplaceableProxy>;
  readonly #site: ProxySite;
  readonly #signal: AbortSignal;
  #resolveDone = (_replaced: typeof replaced): void => {};
  #isStarting = false;

  constructor(proxy: Promise<ReplaceableProxy>, site: ProxySite, signal: AbortSignal) {
    this.#proxy = proxy;
    this.#site = site;
    this.#signal = signal;
    this.done = new Promise(resolve => (this.#resolveDone = resolve));
  }

  /** Starts a successor. While one is starting, a further call does nothing. */
  start(): void {
    if (this.#isStarting || this.#signal.aborted) return;
    this.#isStarting = true;
    // If the proxy itself cannot start, that is reported elsewhere.
    void this.#proxy.then(
      proxy => this.#replace(proxy),
      () => {},
    );
  }

  async #replace({ beginHandover, cancelHandover, socketOf, onBinding }: ReplaceableProxy): Promise<void> {
    try {
      say('restart: a new process starts');
      const site = this.#site;
      const { pid } = await startSuccessor(
        { beginHandover: () => ({ proxy: beginHandover(), site: site.snapshot }), socketOf, onBinding },
        this.#signal,
      );
      say(`restart: process ${pid} serves; process ${process.pid} finishes what is in flight`);
      this.#resolveDone(replaced);
    } catch (error) {
      this.#isStarting = false;
      cancelHandover();
      if (!this.#signal.aborted) say(`not restarted, process ${process.pid} goes on: ${messageOf(error)}`);
    }
  }
}

function say(line: string): void {
  process.stderr.write(`${errorColours().dim(new Date().toISOString())} ${line}\n`);
}
