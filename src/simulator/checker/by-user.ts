import type { Operation } from '../history.js';

/** Each user's operations, in the order in which they were sent. Users in the order in which they first appear. */
export function byUser(operations: readonly Operation[]): Operation[][] {
  const groups = new Map<string, Operation[]>();
  for (const operation of operations) {
    const group = groups.get(operation.user);
    if (group === undefined) groups.set(operation.user, [operation]);
    else group.push(operation);
  }
  return [...groups.values()].map(inSendingOrder);
}

/** A recorded history is nearly always in order already: looking is far cheaper than sorting. */
function inSendingOrder(operations: Operation[]): Operation[] {
  let before = operations[0];
  for (const operation of operations) {
    if (before !== undefined && bySending(before, operation) > 0) return operations.sort(bySending);
    before = operation;
  }
  return operations;
}

function bySending(a: Operation, b: Operation): number {
  return a.sentMs - b.sentMs || a.id - b.id;
}
