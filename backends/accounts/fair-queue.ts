import { TooBusy, TooManyAtOnce } from '../refusal.js';

export interface QueueLimits {
  readonly atOnceMax: number;
  readonly waitingMax: number;
  readonly waitingPerUserMax: number;
}

/**
 * Runs a limited number of jobs at once. The others wait, and the users take turns: a free slot goes to the user that
 * was served longest ago. So one user with many jobs does not delay the job of another by more than one turn.
 */
export class FairQueue {
  readonly #limits: QueueLimits;
  /** The waiting jobs of each user. The first user is the next one. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #waitingCount = 0;
  #running = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Runs `work`. Rejects with `TooManyAtOnce` if too many jobs of this user wait, with `TooBusy` if too many wait in
   * all, and with the error of `work`. */
  async run<T>(user: string, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.atOnceMax) this.#running++;
    else await this.#waitForSlot(user);
    try {
      return await work();
    } finally {
      const next = this.#takeNext();
      // The next job takes over this slot, so that no new job can take it in between.
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #waitForSlot(user: string): Promise<void> {
    const jobs = this.#waiting.get(user) ?? [];
    if (jobs.length >= this.#limits.waitingPerUserMax) throw new TooManyAtOnce();
    if (this.#waitingCount >= this.#limits.waitingMax) throw new TooBusy();
    this.#waitingCount++;
    this.#waiting.set(user, jobs);
    return new Promise(resolve => jobs.push(resolve));
  }

  #takeNext(): (() => void) | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [user, jobs] = first;
    const job = jobs.shift();
    this.#waitingCount--;
    this.#waiting.delete(user);
    // The last place: the other users come first now.
    if (jobs.length > 0) this.#waiting.set(user, jobs);
    return job;
  }
}
