import type { Operation } from '../history/records.js';

/** What is counted while a run goes on, of operations as they end: named as the report names its own counts, which also
 * hold what comes later. A fault can wait for one of them. */
const nothing = {
  'writes.acknowledged': 0,
  'writes.unknown': 0,
  'requests.ok': 0,
  'requests.failed': 0,
  'requests.unknown': 0,
  'users.total': 0,
};
export type CounterName = keyof typeof nothing;
export const counterNames: readonly string[] = Object.keys(nothing);

export function isCounter(name: string): name is CounterName {
  return Object.hasOwn(nothing, name);
}

export type LiveCountsNow = Readonly<Record<CounterName, number>>;

interface Waiting {
  readonly counter: CounterName;
  readonly count: number;
  readonly wake: () => void;
}

/** Counts, and wakes whoever waits for a count in the very moment in which it is reached. */
export class LiveCounts {
  readonly #counts = { ...nothing };
  readonly #users = new Set<string>();
  readonly #waiting = new Set<Waiting>();

  note({ user, kind, outcome }: Operation): void {
    this.#users.add(user);
    this.#counts['users.total'] = this.#users.size;
    this.#counts[outcome === 'fail' ? 'requests.failed' : (`requests.${outcome}` as const)] += 1;
    if (kind === 'add' && outcome === 'ok') this.#counts['writes.acknowledged'] += 1;
    if (kind === 'add' && outcome === 'unknown') this.#counts['writes.unknown'] += 1;
    this.#wakeReached();
  }

  now(): LiveCountsNow {
    return { ...this.#counts };
  }

  /** `reached` resolves when the counter stands there, at once when it does already, and never after `forget`. */
  until(counter: CounterName, count: number): { readonly reached: Promise<void>; readonly forget: () => void } {
    let waiting: Waiting | undefined;
    const reached = new Promise<void>(wake => {
      waiting = { counter, count, wake };
      this.#waiting.add(waiting);
    });
    this.#wakeReached();
    return { reached, forget: () => void (waiting && this.#waiting.delete(waiting)) };
  }

  #wakeReached(): void {
    for (const waiting of this.#waiting) {
      if (this.#counts[waiting.counter] < waiting.count) continue;
      this.#waiting.delete(waiting);
      waiting.wake();
    }
  }
}
