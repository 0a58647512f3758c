import type { Operation } from '../../history/records.js';
import { isMissing } from './losses.js';
import { isAnotherUser, isOwnCart } from './operations.js';
import type { Story } from './sessions.js';

/** How a user stands after its latest operation. */
export type PresentState =
  /** No acknowledged login yet. */
  | 'arriving'
  /** It is logged in, and nothing is wrong. */
  | 'in'
  /** A write has an unknown outcome, and no later read has shown what became of it. */
  | 'in-doubt'
  /** It is logged in, but a known write is missing. */
  | 'has-lost'
  /** The latest answer that depended on its session treated it as anonymous, and it did not log out. */
  | 'logged-out'
  /** Since the login, the latest answer that names a user names another one. */
  | 'someone-else'
  /** It asked for a logout, and the logout did not certainly fail. */
  | 'gone';

/** Returns the state of a user after its latest operation. Pure. The story must have been judged (`judgeUser`). If
 * several states apply, the worst one counts. */
export function presentStateOf({ operations, sessions }: Story): PresentState {
  const session = sessions.at(-1);
  const since = operations.slice(session === undefined ? 0 : operations.lastIndexOf(session.login));
  if (isNamedWrongly(since)) return 'someone-else';
  if (session === undefined) return 'arriving';
  if (since.some(({ kind, outcome }) => kind === 'logout' && outcome !== 'fail')) return 'gone';
  if (session.awayMs !== undefined) return 'logged-out';
  if (session.expected.tokens.some(isMissing)) return 'has-lost';
  return isInDoubt(since) ? 'in-doubt' : 'in';
}

/** Replays do not count: they send an old session, not the present one. */
function isNamedWrongly(operations: readonly Operation[]): boolean {
  const latest = operations.findLast(({ kind, identity }) => kind !== 'replay' && identity !== undefined);
  return latest !== undefined && isAnotherUser(latest);
}

/** Whether a write ended unknown after the last good read was sent. */
function isInDoubt(operations: readonly Operation[]): boolean {
  const read = operations.findLast(isOwnCart);
  const readMs = read?.sentMs ?? Number.NEGATIVE_INFINITY;
  const isWrite = ({ kind }: Operation) => kind === 'add' || kind === 'remove';
  return operations.some(one => isWrite(one) && one.outcome === 'unknown' && one.doneMs > readMs);
}
