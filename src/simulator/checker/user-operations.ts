import type { Operation } from '../history/records.js';
import { type Between, wasAnswered } from './struck.js';

/**
 * The operations of one user, prepared for questions about many faults: a long session has hundreds of faults, so none
 * of them may cost a pass over all operations.
 */
export class UserOperations {
  readonly #all: readonly Operation[];
  #longestMs: number | undefined;
  #firstAnswers: readonly Operation[] | undefined;
  #lastReads: readonly Operation[] | undefined;
  #logins: readonly Operation[] | undefined;
  #lastUses: ReadonlyMap<number, number> | undefined;

  /** `operations`: in sending order. */
  constructor(operations: readonly Operation[]) {
    this.#all = operations;
  }

  /** Returns the operations that were in flight in this time, and perhaps some that ended before it. */
  around({ fromMs, untilMs }: Between): readonly Operation[] {
    this.#longestMs ??= longestOf(this.#all);
    const first = countSentBefore(firstSentMs(fromMs, this.#longestMs), this.#all);
    return this.#all.slice(
      first,
      countWhile(({ sentMs }) => sentMs <= untilMs, this.#all),
    );
  }

  /** The earliest answer of each backend through each proxy. */
  get firstAnswers(): readonly Operation[] {
    this.#firstAnswers ??= chooseByPath(this.#all, wasAnswered, (one, other) => one.doneMs < other.doneMs);
    return this.#firstAnswers;
  }

  /** The latest answered read from each backend through each proxy. */
  get lastReads(): readonly Operation[] {
    const isRead = (one: Operation) => one.kind === 'read' && wasAnswered(one);
    this.#lastReads ??= chooseByPath(this.#all, isRead, (one, other) => one.sentMs > other.sentMs);
    return this.#lastReads;
  }

  /** The acknowledged logins. */
  get logins(): readonly Operation[] {
    this.#logins ??= this.#all.filter(({ kind, outcome }) => kind === 'login' && outcome === 'ok');
    return this.#logins;
  }

  /** Returns when the last answered operation of a session was sent. Undefined when there is none. */
  lastUseMs(session: number): number | undefined {
    this.#lastUses ??= new Map(
      this.#all.filter(wasAnswered).map(operation => [operation.session, operation.sentMs] as const),
    );
    return this.#lastUses.get(session);
  }
}

/** Returns how long the longest operation lasted. */
export function longestOf(operations: readonly Operation[]): number {
  let longestMs = 0;
  for (const { sentMs, doneMs } of operations) if (doneMs - sentMs > longestMs) longestMs = doneMs - sentMs;
  return longestMs;
}

/** Returns the time before which no operation was sent that ended at `ms` or later. The extra millisecond is for
 * rounding. */
export function firstSentMs(ms: number, longestMs: number): number {
  return ms - longestMs - 1;
}

/** Returns how many operations were sent before this time. They are in sending order. */
export function countSentBefore(ms: number, operations: readonly Operation[]): number {
  return countWhile(({ sentMs }) => sentMs < ms, operations);
}

/** Returns how many operations come before the first one for which `isBefore` is false. For all after it, it is false
 * too. */
function countWhile(isBefore: (operation: Operation) => boolean, operations: readonly Operation[]): number {
  let [low, high] = [0, operations.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const operation = operations[middle];
    if (operation !== undefined && isBefore(operation)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the best operation of each pair of backend and proxy. */
function chooseByPath(
  operations: readonly Operation[],
  isCounted: (operation: Operation) => boolean,
  isBetter: (one: Operation, other: Operation) => boolean,
): readonly Operation[] {
  const chosen: Operation[] = [];
  for (const operation of operations) {
    if (!isCounted(operation)) continue;
    const place = findPath(operation, chosen);
    const known = chosen[place];
    if (known === undefined || isBetter(operation, known)) chosen[place] = operation;
  }
  return chosen;
}

/** Returns the place of the operation that took the same path. Without one it returns the length of the list. */
function findPath({ backend, proxy }: Operation, chosen: readonly Operation[]): number {
  for (let place = 0; place < chosen.length; place += 1) {
    const known = chosen[place];
    if (known?.backend === backend && known?.proxy === proxy) return place;
  }
  return chosen.length;
}
