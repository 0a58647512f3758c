import type { Operation } from '../history/records.js';

/** The operations that need a session. An answer to any other says nothing about whether the user has one. */
export function needsSession({ kind }: Operation): boolean {
  return kind !== 'login' && kind !== 'logout' && kind !== 'replay';
}

export function isAnonymous(operation: Operation): boolean {
  return operation.identity === null && needsSession(operation);
}

/** Taken for the user: the answer says so, or it says nothing and the operation succeeded. */
export function isAccepted(operation: Operation): boolean {
  if (!needsSession(operation)) return false;
  return operation.identity === undefined ? operation.outcome === 'ok' : operation.identity === operation.user;
}

export function isSomebodyElse({ identity, user }: Operation): boolean {
  return typeof identity === 'string' && identity !== user;
}
