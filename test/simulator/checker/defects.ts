import type { Operation } from '#src/simulator/history/records.js';

/** Changes a history so that it holds one defect. Returns undefined when the history has no place for it. */
export type Defect = (operations: readonly Operation[], choice: number) => Operation[] | undefined;

/** The defects, by the finding that must report them. */
export const defects: Readonly<Record<string, Defect>> = {
  lost: (operations, choice) => {
    const adds = neverRemoved(operations).filter(add => readsAfter(add, operations).length > 0);
    const add = pick(adds, choice);
    return add && operations.map(operation => withItem(operation, add, 0));
  },
  stale: (operations, choice) => {
    const places = neverRemoved(operations).flatMap(add =>
      readsAfter(add, operations)
        .filter(read => operations.some(later => later.items?.includes(add.token ?? '') && isSentBefore(read, later)))
        .map(read => ({ add, read })),
    );
    const place = pick(places, choice);
    return place && change(operations, withItem(place.read, place.add, 0));
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
  failedVisible: (operations, choice) => {
    const failed = operations.filter(({ kind, outcome }) => kind === 'add' && outcome === 'fail');
    const places = failed.flatMap(add =>
      operations
        .filter(isAcknowledged('read'))
        .filter(({ user, sentMs }) => user === add.user && sentMs >= add.doneMs)
        .map(read => withItem(read, add, 1)),
    );
    const read = pick(places, choice);
    return read && change(operations, read);
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

/** Removes everything that a session held at once and for good, while the user stays logged in. `lost`: number of
 * writes. */
export function plantSilentReset(operations: readonly Operation[], choice: number) {
  const places = operations
    .filter(isAcknowledged('login'))
    .flatMap(login => readsAfter(login, operations))
    .filter(read => operations.every(other => !isSentBefore(other, read) || other.doneMs <= read.sentMs))
    .map(read => ({ read, ...heldBefore(read, operations) }));
  const place = pick(
    places.filter(({ lost }) => lost > 1),
    choice,
  );
  if (place === undefined) return undefined;
  const { read, held, lost } = place;
  const emptied = operations.map(operation => {
    const isBefore = operation.user !== read.user || isSentBefore(operation, read);
    if (isBefore || operation.items === undefined) return operation;
    return { ...operation, items: operation.items.filter(token => !held.has(token)) };
  });
  return { operations: emptied, lost };
}

/** Returns the known tokens of the session when the read began, and how many of them the user never removed. */
function heldBefore(read: Operation, operations: readonly Operation[]) {
  const before = operations.filter(other => isSentBefore(other, read) && other.session === read.session);
  const added = before.filter(isAcknowledged('add')).map(({ token = '' }) => token);
  const held = new Set([...added, ...before.flatMap(({ items = [] }) => items)]);
  const removed = removedTokens(operations);
  return { held, lost: [...held].filter(token => !removed.has(token)).length };
}

/** Whether the same user sent one operation before the other. */
function isSentBefore(one: Operation, other: Operation): boolean {
  return one.user === other.user && (one.sentMs - other.sentMs || one.id - other.id) < 0;
}

function neverRemoved(operations: readonly Operation[]): Operation[] {
  const removed = removedTokens(operations);
  return operations.filter(isAcknowledged('add')).filter(({ token = '' }) => !removed.has(token));
}

function removedTokens(operations: readonly Operation[]): ReadonlySet<string> {
  return new Set(operations.filter(isPossible('remove')).map(({ token = '' }) => token));
}

function isPossible(kind: Operation['kind']): (operation: Operation) => boolean {
  return operation => operation.kind === kind && operation.outcome !== 'fail';
}

function isAcknowledged(kind: Operation['kind']): (operation: Operation) => boolean {
  return operation => operation.kind === kind && operation.outcome === 'ok';
}

/** Returns the reads that must show the effect of an operation: in the same session, begun after it, and ended before
 * the user asked for the end of the session. */
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

/** Returns adds that were acknowledged before their removal was sent, if the removal was acknowledged before the
 * read. */
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
