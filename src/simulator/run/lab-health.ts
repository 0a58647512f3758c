import { setTimeout as delay } from 'node:timers/promises';
import { describeMachineDoubt } from '../checker/verdict/doubts.js';
import type { Cluster, ShopCounts } from '../cluster/cluster.js';
import type { LabRecord } from '../history/records.js';
import type { Driver } from '../users/driver.js';
import { watchProcessors } from './processor-pressure.js';
import { collectCounts } from './watch-members.js';

const askEveryMs = 1_000;
/** A member that hangs must not delay the end. */
const lastAskMs = 200;
/** The page warns for this long after the machine was too busy. */
const warnForMs = 10_000;

export const noLab: LabRecord = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };

const tooBusy =
  'The machine is too busy for fair results: no processor was idle for more than a second. Take fewer users, or close other programs.';

type Counts = Readonly<Record<string, ShopCounts>>;

/** Measures the health of a lab whose run has no planned end. A finished run records the same (`LabRecord`). */
export class LabHealth {
  readonly #cluster: Pick<Cluster, 'members'>;
  readonly #driver: Pick<Driver, 'lab'>;
  readonly #processors = watchProcessors();
  #counts: Counts = {};
  /** The counts at the last `clear`. */
  #countsBefore: Counts = {};
  #cleared = { runMs: 0, atMs: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(cluster: Pick<Cluster, 'members'>, driver: Pick<Driver, 'lab'>) {
    this.#cluster = cluster;
    this.#driver = driver;
    this.#askAgain();
  }

  /** Forgets what happened before this time of the run. */
  clear(runMs: number): void {
    this.#cleared = { runMs, atMs: performance.now() };
    this.#countsBefore = this.#counts;
    void this.#ask().then(() => {
      this.#countsBefore = this.#counts;
    });
  }

  record(): LabRecord {
    const lab = this.#driver.lab();
    const { droppedMs = [], droppedWaitMs = [] } = lab;
    const isKept = (_: number, index: number): boolean => Number(droppedMs[index]) >= this.#cleared.runMs;
    const kept = droppedMs.filter(isKept);
    return {
      ...lab,
      dropped: kept.length,
      droppedMs: kept,
      droppedWaitMs: droppedWaitMs.filter(isKept),
      busyMs: this.#processors.longestSince(this.#cleared.atMs),
      counts: subtractCounts(this.#counts, this.#countsBefore),
    };
  }

  /** Says, in a sentence, that the machine is too busy at present. Undefined when it is not. */
  warning(): string | undefined {
    const busyMs = this.#processors.longestSince(performance.now() - warnForMs);
    return describeMachineDoubt({ ...noLab, busyMs }) && tooBusy;
  }

  /** Asks the members once more. Call it before they are stopped. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#processors.stop();
    await Promise.race([this.#ask(), delay(lastAskMs)]);
  }

  #askAgain(): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#ask().then(() => this.#askAgain()), askEveryMs);
  }

  /** A member that does not answer keeps its earlier counts. */
  async #ask(): Promise<void> {
    this.#counts = { ...this.#counts, ...(await collectCounts(this.#cluster)) };
  }
}

/** The name of the count that is no sum: it is the largest value since the boot of a member. */
const largest = 'atOnceMax';

/** Returns what the members have counted since an earlier moment. Pure. A member that counts less than before was
 * started again, so all of its counts are new. */
export function subtractCounts(now: Counts, before: Counts): Counts {
  return Object.fromEntries(
    Object.entries(now).map(([member, counts]) => {
      const old = before[member] ?? {};
      const isNew = Object.entries(counts).some(([name, count]) => count < (old[name] ?? 0));
      const since = Object.entries(counts).map(([name, count]) => {
        return [name, isNew || name === largest ? count : count - (old[name] ?? 0)];
      });
      return [member, Object.fromEntries(since)];
    }),
  );
}
