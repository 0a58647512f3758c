import { durationPattern, formatDuration, parseDuration } from '../../shared/units.js';
import { unknownName } from '../../shared/unknown-name.js';
import { ScenarioError } from '../errors.js';
import type { Operation } from '../history/records.js';

/**
 * Moment at which a fault strikes. There are three kinds:
 * - a time after the start of the faults phase,
 * - a time after another fault was healed, or was confirmed if that one lasts to the end of the phase,
 * - a count that is reached, in the whole run or since another fault was confirmed, and a time after that.
 */
export type FaultTrigger = AtTrigger | AfterTrigger | WhenTrigger;

export interface AtTrigger {
  readonly atMs: number;
}
export interface AfterTrigger {
  readonly afterFault: string;
  readonly delayMs: number;
}
export interface WhenTrigger {
  readonly counter: CounterName;
  readonly sinceFault?: string;
  readonly atLeast: number;
  /** Time from the moment when the counter reaches `atLeast` to the strike. Absent: no delay. */
  readonly delayMs?: number;
}

/** Source of a regular expression, without groups or anchors. */
export const faultIdPattern = '[a-z][a-z0-9-]{0,39}';

export const whenPattern = new RegExp(
  String.raw`^(?<counter>[\w.]+)(?:\s+since\s+(?<since>${faultIdPattern}))?\s*>=\s*(?<count>[1-9]\d{0,8})(?:\s*\+\s*(?<delay>${durationPattern}))?$`,
);

/** Parses `when`. Throws `ScenarioError` for an unknown count. Does not check that the fault after `since` exists. */
export function parseWhen(text: string): WhenTrigger {
  const { counter = '', since, count, delay } = whenPattern.exec(text)?.groups ?? {};
  if (!isCounter(counter)) throw new ScenarioError(unknownName('count', counter, counterNames));
  const delayMs = parseDuration(delay ?? '') ?? 0;
  return {
    counter,
    ...(since !== undefined && { sinceFault: since }),
    atLeast: Number(count),
    ...(delayMs > 0 && { delayMs }),
  };
}

/** Returns the trigger as a scenario file writes it. */
export function formatWhen({ counter, sinceFault, atLeast, delayMs = 0 }: WhenTrigger): string {
  const since = sinceFault === undefined ? '' : ` since ${sinceFault}`;
  return `${counter}${since} >= ${atLeast}${delayMs > 0 ? ` + ${formatDuration(delayMs)}` : ''}`;
}

/** The counts that are kept during a run. An operation counts when it ends. Their names are those of the final counts
 * in the report; only `sessions.renewed` is not in it. A fault can wait for one of them. */
const zeroCounts = {
  'writes.acknowledged': 0,
  'writes.unknown': 0,
  'requests.ok': 0,
  'requests.failed': 0,
  'requests.unknown': 0,
  'users.total': 0,
  'sessions.renewed': 0,
};
type CounterName = keyof typeof zeroCounts;
export const counterNames: readonly string[] = Object.keys(zeroCounts);

export function isCounter(name: string): name is CounterName {
  return Object.hasOwn(zeroCounts, name);
}

export type LiveCountsNow = Readonly<Record<CounterName, number>>;

interface Waiting {
  readonly counter: CounterName;
  readonly count: number;
  readonly wake: () => void;
}

/** Counts operations, and notifies each waiting fault at the moment in which its count is reached. */
export class LiveCounts {
  readonly #counts = { ...zeroCounts };
  readonly #users = new Set<string>();
  readonly #waiting = new Set<Waiting>();

  note({ user, kind, outcome, renewed }: Operation): void {
    this.#users.add(user);
    this.#counts['users.total'] = this.#users.size;
    this.#counts[outcome === 'fail' ? 'requests.failed' : (`requests.${outcome}` as const)] += 1;
    if (renewed) this.#counts['sessions.renewed'] += 1;
    if (kind === 'add' && outcome === 'ok') this.#counts['writes.acknowledged'] += 1;
    if (kind === 'add' && outcome === 'unknown') this.#counts['writes.unknown'] += 1;
    this.#wakeReached();
  }

  now(): LiveCountsNow {
    return { ...this.#counts };
  }

  /** Waits for a count. `reached` resolves when the counter reaches it, or at once if it already has. After `forget` it
   * never resolves. */
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
