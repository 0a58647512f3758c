import { setTimeout as delay } from 'node:timers/promises';
import type { StoreTransitions } from '../../store-transitions.js';
import { messageOf } from './connections.js';

const retryStepMs = 50;
const retryDelayMaxMs = 500;

/**
 * Tracks whether the server can serve. A failed call proves little: it may have waited for a lock or for a free
 * connection. So a failure only starts a probe of the server, and the result of the probe counts for all calls. A
 * server that is down is probed repeatedly.
 */
export class Watch {
  readonly #probe: () => Promise<void>;
  readonly #edges: StoreTransitions;
  #state: 'starting' | 'up' | 'down' | 'closed' = 'starting';
  #asking: Promise<boolean> | undefined;
  #isLooking = false;
  #isInDoubt = false;

  /** `probe` rejects if the server cannot serve. It settles within a bounded time. */
  constructor(probe: () => Promise<void>, edges: StoreTransitions) {
    this.#probe = probe;
    this.#edges = edges;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  doubt(): void {
    this.#isInDoubt = true;
    if (!this.#isLooking) void this.#look();
  }

  /** Probes the server now. Concurrent calls share one probe. */
  ask(): Promise<boolean> {
    this.#asking ??= this.#answer().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  close(): void {
    this.#state = 'closed';
  }

  /** Probes the server until it serves. The first attempt is immediate: a server that was restarted is mostly
   * available. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    for (let tries = 0; this.#isInDoubt && !this.isClosed; tries++) {
      if (tries > 0) await delay(Math.min(tries * retryStepMs, retryDelayMaxMs), undefined, { ref: false });
      this.#isInDoubt = false;
      if (!(await this.ask())) this.#isInDoubt = true;
    }
    this.#isLooking = false;
  }

  async #answer(): Promise<boolean> {
    const why = await this.#probe().then(() => undefined, messageOf);
    if (this.isClosed) return false;
    const [before, now] = [this.#state, why === undefined ? 'up' : 'down'] as const;
    this.#state = now;
    if (why !== undefined) this.#edges.wentDown(why);
    // Only after an outage: a server that was up all the time may still refuse what it refused before.
    else if (before !== 'up') this.#edges.wentUp();
    return now === 'up';
  }
}
