import type { Operation } from '#src/simulator/history/records.js';

/** A place in a history for a planted defect. `since` acknowledged something, and `seen` shows that it did not last. */
export interface Place {
  readonly since: Operation;
  readonly seen: Operation;
  readonly plant: () => Operation[];
}

export interface Plant {
  /** The kind of its incident, and the counts that it can raise. The first count rises by exactly one. */
  readonly incident: string;
  readonly counts: readonly string[];
  places(operations: readonly Operation[]): Place[];
}

const logouts = ['loggedOut', 'silentlyReset', 'loggedOutUnexposed'];

/** The defects, by name. */
export const plants: Readonly<Record<string, Plant>> = {
  loss: {
    incident: 'lost',
    counts: ['lost', 'unexplained', ...logouts],
    places: operations =>
      pairs(addsToStay(operations), readsOf(operations)).map(({ since, seen }) => ({
        since,
        seen,
        plant: () =>
          operations.map(other =>
            other.user === seen.user && other.sentMs >= seen.sentMs ? without(other, since.token) : other,
          ),
      })),
  },
  swap: {
    incident: 'identity-swapped',
    counts: ['identitySwapped'],
    places: operations => {
      const logins = operations.filter(({ kind, outcome }) => kind === 'login' && outcome === 'ok');
      const named = operations.filter(({ kind, identity, user }) => kind === 'whoami' && identity === user);
      return logins.flatMap(since =>
        named
          .filter(({ user, session }) => user === since.user && session === since.session)
          .map(seen => ({ since, seen, plant: () => replace(operations, { ...seen, identity: 'mallory' }) })),
      );
    },
  },
  duplicate: {
    incident: 'duplicated',
    counts: ['duplicated'],
    places: operations =>
      pairs(addsToStay(operations), readsOf(operations)).map(({ since, seen }) => ({
        since,
        seen,
        plant: () => replace(operations, { ...seen, items: [...(seen.items ?? []), since.token ?? ''] }),
      })),
  },
  'resurrected item': {
    incident: 'resurrected',
    counts: ['resurrected'],
    places: operations =>
      pairs(sureRemovals(operations), readsOf(operations)).map(({ since, seen }) => ({
        since,
        seen,
        plant: () => replace(operations, { ...seen, items: [...(seen.items ?? []), since.token ?? ''] }),
      })),
  },
  'stale read': {
    incident: 'stale',
    counts: ['stale', ...logouts],
    places: operations =>
      pairs(addsToStay(operations), readsOf(operations))
        .filter(({ seen }) => !seen.final && hasLaterRead(seen, operations))
        .map(({ since, seen }) => ({ since, seen, plant: () => replace(operations, without(seen, since.token)) })),
  },
  'revived session': {
    incident: 'logout-not-honoured',
    counts: ['logoutNotHonoured'],
    places: operations =>
      operations
        .filter(({ kind, outcome }) => kind === 'replay' && outcome === 'ok')
        .flatMap(seen => {
          const since = operations.find(
            ({ kind, user, session, outcome }) =>
              kind === 'logout' && outcome === 'ok' && user === seen.user && session === seen.session,
          );
          const revived: Operation = { ...seen, outcome: 'fail', identity: seen.user };
          return since === undefined ? [] : [{ since, seen, plant: () => replace(operations, revived) }];
        }),
  },
};

function readsOf(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ kind, outcome }) => kind === 'read' && outcome === 'ok');
}

/** Returns the acknowledged adds of items that are never removed. */
function addsToStay(operations: readonly Operation[]): Operation[] {
  const removed = new Set(operations.filter(({ kind }) => kind === 'remove').map(({ token }) => token));
  return operations.filter(({ kind, outcome, token }) => kind === 'add' && outcome === 'ok' && !removed.has(token));
}

/** Returns the acknowledged removals of items whose add was acknowledged. */
function sureRemovals(operations: readonly Operation[]): Operation[] {
  const added = new Set(
    operations.filter(({ kind, outcome }) => kind === 'add' && outcome === 'ok').map(({ token }) => token),
  );
  return operations.filter(({ kind, outcome, token }) => kind === 'remove' && outcome === 'ok' && added.has(token));
}

/** Pairs each write with each later read of the same session. */
function pairs(writes: readonly Operation[], reads: readonly Operation[]): { since: Operation; seen: Operation }[] {
  return writes.flatMap(since =>
    reads
      .filter(({ user, session, sentMs }) => user === since.user && session === since.session && sentMs >= since.doneMs)
      .map(seen => ({ since, seen })),
  );
}

function hasLaterRead(read: Operation, operations: readonly Operation[]): boolean {
  return readsOf(operations).some(
    ({ user, session, sentMs }) => user === read.user && session === read.session && sentMs > read.sentMs,
  );
}

function without(operation: Operation, token: string | undefined): Operation {
  const { items } = operation;
  return items === undefined ? operation : { ...operation, items: items.filter(item => item !== token) };
}

function replace(operations: readonly Operation[], changed: Operation): Operation[] {
  return operations.map(operation => (operation.id === changed.id ? changed : operation));
}
