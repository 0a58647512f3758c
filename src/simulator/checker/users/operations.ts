import type { Operation, Operations } from '../../history/records.js';

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
