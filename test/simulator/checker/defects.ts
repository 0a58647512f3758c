import type { Operation } from '#src/simulator/history.js';

/** Changes a history so that it holds one defect. Undefined where the history offers no place for it. */
export type Defect = (operations: readonly Operation[], choice: number) => Operation[] | undefined;

/** By the word under which it must be found. */
export const defects: Readonly<Record<string, Defect>> = {
  lost: (operations, choice) => {
    const removed = new Set(operations.filter(isPossible('remove')).map(({ token }) => token));
    const adds = operations.filter(
      add => isAcknowledged('add')(add) && !removed.has(add.token) && readsAfter(add, operations).length > 0,
    );
    const add = pick(adds, choice);
    return add && operations.map(operation => withItem(operation, add, 0));
  },
  phantom: (operations, choice) => {
    const read = pick(operations.filter(isAcknowledged('read')), choice);
    return read && change(operations, { ...read, items: [...(read.items ?? []), 'somebodyElses'] });
  },
  resurrected: (operations, choice) => {
    const reads = operations.filter(isAcknowledged('read')).filter(read => removedBefore(read, operations).length > 0);
    const read = pick(reads, choice);
    const add = read && pick(removedBefore(read, operations), choice);
    return read && add && change(operations, withItem(read, add, 1));
  },
  duplicated: (operations, choice) => {
    const reads = operations.filter(({ items = [] }) => items.length > 0);
    const read = pick(reads, choice);
    const token = pick(read?.items ?? [], choice);
    if (read === undefined || token === undefined) return undefined;
    return change(operations, { ...read, items: [...(read.items ?? []), token] });
  },
  flickered: (operations, choice) => {
    const answers = operations.filter(
      operation => isAcknowledged('whoami')(operation) || (isAcknowledged('read')(operation) && !operation.final),
    );
    const answer = pick(
      answers.filter(one => readsAfter(one, operations).length > 0),
      choice,
    );
    if (answer === undefined) return undefined;
    const { items: _items, ...rest } = answer;
    return change(operations, { ...rest, outcome: 'fail', identity: null });
  },
  identitySwapped: (operations, choice) => {
    const answers = operations.filter(({ kind, identity, user }) => kind !== 'read' && identity === user);
    const answer = pick(answers, choice);
    return answer && change(operations, { ...answer, identity: 'mallory' });
  },
  logoutNotHonoured: (operations, choice) => {
    const replay = pick(operations.filter(isAcknowledged('replay')), choice);
    return replay && change(operations, { ...replay, outcome: 'fail', identity: replay.user });
  },
  sessionKept: (operations, choice) => {
    const logins = operations.filter(isAcknowledged('login')).filter(one => readsAfter(one, operations).length > 0);
    const login = pick(logins, choice);
    return login && change(operations, { ...login, keptId: true });
  },
};

function isPossible(kind: Operation['kind']): (operation: Operation) => boolean {
  return operation => operation.kind === kind && operation.outcome !== 'fail';
}

function isAcknowledged(kind: Operation['kind']): (operation: Operation) => boolean {
  return operation => operation.kind === kind && operation.outcome === 'ok';
}

/** The reads that must show what this operation did: begun after it, in its session, and ended before the user asked
 * for the end of it. */
function readsAfter(operation: Operation, operations: readonly Operation[]): Operation[] {
  const same = operations.filter(({ user }) => user === operation.user);
  const ends = same.filter(
    ({ kind, outcome, session }) =>
      outcome !== 'fail' &&
      ((kind === 'logout' && session === operation.session) || (kind === 'login' && session === operation.session + 1)),
  );
  return same
    .filter(isAcknowledged('read'))
    .filter(({ session, sentMs }) => session === operation.session && sentMs >= operation.doneMs)
    .filter(({ doneMs }) => ends.every(({ sentMs }) => doneMs <= sentMs));
}

/** Adds that were acknowledged before their removal was sent, which was acknowledged before the read was sent. */
function removedBefore(read: Operation, operations: readonly Operation[]): Operation[] {
  const removals = operations.filter(isAcknowledged('remove')).filter(({ doneMs }) => doneMs <= read.sentMs);
  return operations
    .filter(isAcknowledged('add'))
    .filter(({ user }) => user === read.user)
    .filter(add => removals.some(({ token, sentMs }) => token === add.token && add.doneMs <= sentMs));
}

function withItem(operation: Operation, add: Operation, quantity: number): Operation {
  const { items } = operation;
  if (items === undefined || add.token === undefined || operation.user !== add.user) return operation;
  const others = items.filter(token => token !== add.token);
  return { ...operation, items: [...others, ...Array<string>(quantity).fill(add.token)] };
}

function change(operations: readonly Operation[], changed: Operation): Operation[] {
  return operations.map(operation => (operation.id === changed.id ? changed : operation));
}

function pick<T>(from: readonly T[], choice: number): T | undefined {
  return from[choice % from.length];
}
