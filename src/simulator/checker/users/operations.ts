import { endsOf } from '../../cluster/targets.js';
import type { FaultRecord, Operation, Operations, RunRecord } from '../../history/records.js';

/** Questions about operations: their order, what an answer says about its user, and what a fault struck of them. */

/** Yields each user's operations in the order in which they were sent. */
export function* byUser(operations: Operations): Generator<Operation[]> {
  for (const own of operations.usersInTurn?.() ?? groupByUser(toArray(operations))) yield sortBySending(own);
}

function toArray(operations: Operations): readonly Operation[] {
  return Array.isArray(operations) ? operations : [...operations];
}

/**
 * Yields the operations of each user, in the order in which users first appear. A counting sort gives each user one
 * list of the right length. A million lists would otherwise grow side by side.
 */
function* groupByUser(operations: readonly Operation[]): Generator<Operation[]> {
  const { numberOf, sizes } = numberUsers(operations);
  const ends = new Int32Array(sizes.length);
  for (let user = 1; user < ends.length; user += 1) ends[user] = (ends[user - 1] ?? 0) + (sizes[user - 1] ?? 0);
  const places = new Int32Array(operations.length);
  numberOf.forEach((user, i) => {
    const place = ends[user] ?? 0;
    places[place] = i;
    ends[user] = place + 1;
  });
  let from = 0;
  for (const to of ends) {
    yield pick(operations, places.subarray(from, to));
    from = to;
  }
}

/** Numbers the users. Returns the user number of each operation, and how many operations each user has. */
function numberUsers(operations: readonly Operation[]) {
  const numbers = new Map<string, number>();
  const numberOf = new Int32Array(operations.length);
  const sizes: number[] = [];
  operations.forEach(({ user }, i) => {
    const number = numbers.get(user) ?? numbers.size;
    if (number === numbers.size) numbers.set(user, number);
    numberOf[i] = number;
    sizes[number] = (sizes[number] ?? 0) + 1;
  });
  return { numberOf, sizes };
}

function pick(operations: readonly Operation[], places: Int32Array): Operation[] {
  const picked: Operation[] = [];
  for (const place of places) {
    const operation = operations[place];
    if (operation !== undefined) picked.push(operation);
  }
  return picked;
}

/** Sorts the operations if needed. A recorded history is nearly always sorted, and checking is far cheaper than
 * sorting. */
function sortBySending(operations: Operation[]): Operation[] {
  let before = operations[0];
  for (const operation of operations) {
    if (before !== undefined && bySending(before, operation) > 0) return operations.sort(bySending);
    before = operation;
  }
  return operations;
}

/** Compares operations of one user by the order of sending. */
export function bySending(a: Operation, b: Operation): number {
  return a.sentMs - b.sentMs || a.id - b.id;
}

/** Whether an operation needs a session. The answer to any other operation does not show whether the user has one. */
export function needsSession({ kind }: Operation): boolean {
  return kind !== 'login' && kind !== 'logout' && kind !== 'replay';
}

export function isAnonymous(operation: Operation): boolean {
  return operation.identity === null && needsSession(operation);
}

/** Whether the answer treats the user as logged in: it names the user, or it names no user and the operation
 * succeeded. */
export function isAccepted(operation: Operation): boolean {
  if (!needsSession(operation)) return false;
  return operation.identity === undefined ? operation.outcome === 'ok' : operation.identity === operation.user;
}

export function isAnotherUser({ identity, user }: Operation): boolean {
  return typeof identity === 'string' && identity !== user;
}

/** Whether it is a read that showed a cart, and the answer names no other user. */
export function isOwnCart(operation: Operation): boolean {
  return operation.kind === 'read' && operation.items !== undefined && !isAnotherUser(operation);
}

/** Returns whether an operation got any answer, including an error. */
export function wasAnswered({ status, outcome }: Operation): boolean {
  return status !== undefined || outcome === 'ok';
}

/**
 * Returns a function that says whether an operation went through what the fault struck: its backend, or its proxy when
 * there are several. Every operation goes through a store, the only proxy and the key ring, because it depends on them.
 */
export function wentThrough(
  { target, struck }: Pick<FaultRecord, 'target' | 'struck'>,
  run: RunRecord,
): (operation: Operation) => boolean {
  // An answer that names no member may have come from it.
  if (struck !== undefined) return ({ backend }) => backend === undefined || backend === struck;
  const [from, to] = endsOf(target) ?? [target, target];
  const proxies = namesOf(run, 'proxy');
  const isBackend = (name: string) => /^backend-\d+$/.test(name) || namesOf(run, 'backend').includes(name);
  if (isBackend(to)) {
    const isOneOfSeveral = from !== to && proxies.length > 1;
    return ({ backend, proxy }) => backend === to && (!isOneOfSeveral || proxy === from);
  }
  if (isBackend(from)) return ({ backend }) => backend === from;
  return proxies.length > 1 && proxies.includes(target) ? ({ proxy }) => proxy === target : () => true;
}

export function namesOf({ header }: RunRecord, role: 'backend' | 'proxy' | 'store'): readonly string[] {
  return (header.system?.members ?? []).filter(member => member.role === role).map(({ name }) => name);
}

/** The part of the run in which a fault must show its effect. */
export interface Between {
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Returns the time from the confirmation to the start of the healing. For a store it ends when the store answers again.
 * For a fault that restarts a process by itself, as `flap` does, it ends at the first start. Undefined when the fault
 * was never confirmed.
 */
export function betweenOf(fault: FaultRecord, { members }: RunRecord): Between | undefined {
  const { confirmedMs, healedMs, struck = fault.target, expects } = fault;
  if (confirmedMs === null) return undefined;
  const healingMs = (expects?.kind === 'asked' ? undefined : fault.healRequestedMs) ?? healedMs;
  const untilMs = healingMs ?? Number.POSITIVE_INFINITY;
  if (expects?.kind !== 'silent' || !expects.whileDown) return { fromMs: confirmedMs, untilMs };
  const started = members.find(({ member, state, atMs }) => member === struck && state === 'up' && atMs > confirmedMs);
  return { fromMs: confirmedMs, untilMs: Math.min(untilMs, started?.atMs ?? untilMs) };
}

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

/** Returns the index of the operation that took the same path; the length of the list when there is none. */
function findPath({ backend, proxy }: Operation, chosen: readonly Operation[]): number {
  for (let place = 0; place < chosen.length; place += 1) {
    const known = chosen[place];
    if (known?.backend === backend && known?.proxy === proxy) return place;
  }
  return chosen.length;
}
