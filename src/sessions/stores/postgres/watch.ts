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
  readonly #transitions: StoreTransitions;
  #state: 'starting' | 'up' | 'down' | 'closed' = 'starting';
  #asking: Promise<boolean> | undefined;
  #isProbing = false;
  #needsProbe = false;

  /** `probe` rejects if the server cannot serve. It settles within a bounded time. */
  constructor(probe: () => Promise<void>, transitions: StoreTransitions) {
    this.#probe = probe;
    this.#transitions = transitions;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  recheck(): void {
    this.#needsProbe = true;
    if (!this.#isProbing) void this.#probeUntilUp();
  }

  /** Probes the server now. Concurrent calls share one probe. */
  ask(): Promise<boolean> {
    this.#asking ??= this.#probeOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  close(): void {
    this.#state = 'closed';
  }

  /** Probes the server until it serves. The first attempt is immediate: a server that was restarted is usually
   * available. */
  async #probeUntilUp(): Promise<void> {
    this.#isProbing = true;
    for (let tries = 0; this.#needsProbe && !this.isClosed; tries++) {
      if (tries > 0) await delay(Math.min(tries * retryStepMs, retryDelayMaxMs), undefined, { ref: false });
      this.#needsProbe = false;
      if (!(await this.ask())) this.#needsProbe = true;
    }
    this.#isProbing = false;
  }

  async #probeOnce(): Promise<boolean> {
    const why = await this.#probe().then(() => undefined, messageOf);
    if (this.isClosed) return false;
    const [before, now] = [this.#state, why === undefined ? 'up' : 'down'] as const;
    this.#state = now;
    if (why !== undefined) this.#transitions.markDown(why);
    // Only after an outage: a server that was up all the time may still refuse what it refused before.
    else if (before !== 'up') this.#transitions.markUp();
    return now === 'up';
  }
}
