import type { FaultRecord, Operation } from '../../history/records.js';
import { newTally, type Tally } from '../findings.js';
import { isMissing } from './losses.js';
import { bySending, isAnotherUser, isOwnCart } from './operations.js';
import type { Story, Verification } from './sessions.js';
import { judgeSessions, type UserRules } from './user-pass.js';

/** A user of the live lab: it is judged again and again while the run goes on, and it has a present state. */

/**
 * The operations of one user while their number grows. Judging again costs as much as judging the present session, and
 * not the whole life of the user:
 *
 *     login add read logout | login add read logout | login add
 *          judged once            judged once          judged again with each new operation
 *
 * A part ends where the user logged out itself and then logged in again. Nothing is expected of the earlier session any
 * more, and the counts of the parts add up. There is one exception: an operation of one part shows, adds or removes an
 * item of another part. All operations are then judged together, as `judgeUser` does it.
 */
export class GrowingUser<Result> {
  readonly #project: (story: Story, tally: Tally) => Result;
  readonly #operations: Operation[] = [];
  readonly #tokens = new Set<string>();
  #parts: Part<Result>[] = [{ from: 0, judged: undefined }];
  #isWhole = false;
  #longestMs = 0;

  /** `project` picks what is kept of each part. A count of users in its tally is 0 or 1. */
  constructor(project: (story: Story, tally: Tally) => Result, operations: Iterable<Operation> = []) {
    this.#project = project;
    for (const operation of operations) this.add(operation);
  }

  /** In sending order. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** Takes an operation that has ended. Operations may end in any order. */
  add(operation: Operation): void {
    const own = this.#operations;
    let place = own.length;
    for (let before = own[place - 1]; before && bySending(before, operation) > 0; before = own[place - 1]) place -= 1;
    own.splice(place, 0, operation);
    while (this.#parts.length > 1 && place <= this.#from(this.#parts.length - 1)) this.#parts.pop();
    this.#parts.push({ from: this.#parts.pop()?.from ?? 0, judged: undefined });
    const { kind, token, sentMs, doneMs } = operation;
    this.#longestMs = Math.max(this.#longestMs, doneMs - sentMs);
    if (kind !== 'add' || token === undefined) return;
    if (this.#tokens.has(token)) this.#joinParts();
    this.#tokens.add(token);
  }

  /** Returns the results of all parts, in order. */
  judge(rules: UserRules): readonly Result[] {
    for (let index = 0; index < this.#parts.length; index += 1) {
      const part = this.#parts[index];
      if (part === undefined || isStillTrue(part.judged, rules.verification)) continue;
      const operations = this.#operations.slice(part.from, this.#from(index + 1));
      const tally = newTally();
      const story = judgeSessions(operations, rules, tally);
      const next = this.#isWhole ? undefined : findNextPart(story);
      if (next !== undefined) {
        const from = part.from + operations.indexOf(next);
        this.#parts.splice(index, 1, { from: part.from, judged: undefined }, { from, judged: undefined });
        index -= 1;
      } else if (this.#parts.length > 1 && dependsOnOthers(story, tally, index === 0)) {
        this.#joinParts();
        index = -1;
      } else {
        const { verification } = rules;
        part.judged = { result: this.#project(story, tally), reads: readsOf(operations), verification };
      }
    }
    return this.#parts.flatMap(({ judged }) => (judged === undefined ? [] : [judged.result]));
  }

  /** Returns the faults that exposed this user. */
  exposedBy({ exposure }: UserRules): readonly FaultRecord[] {
    return exposure.exposedBy(this.#operations, this.#longestMs);
  }

  #from(index: number): number {
    return this.#parts[index]?.from ?? this.#operations.length;
  }

  #joinParts(): void {
    this.#isWhole = true;
    this.#parts = [{ from: 0, judged: undefined }];
  }
}

/** A part of the operations that is judged alone. It ends where the next part begins. */
interface Part<Result> {
  /** Place of its first operation. */
  readonly from: number;
  /** Undefined: it was never judged, or it has another operation since. */
  judged: Judged<Result> | undefined;
}

interface Judged<Result> {
  readonly result: Result;
  readonly reads: Reads;
  readonly verification: Verification;
}

/** Returns the last login at which the earlier session had already ended. Undefined when there is none. */
function findNextPart({ sessions }: Story): Operation | undefined {
  let found: Operation | undefined;
  let before: Story['sessions'][number] | undefined;
  for (const session of Object.values(sessions)) {
    const { login } = session;
    // The earlier session must have ended by an earlier operation, and not by this login.
    if (before !== undefined && before.expected.endMs < login.sentMs) found = login;
    before = session;
  }
  return found;
}

/** Whether a part shows or removes an item that it does not add, or has a session number of an earlier part. */
function dependsOnOthers({ operations, sessions, tokens }: Story, { writes }: Tally, isFirst: boolean): boolean {
  if (writes.phantom > 0) return true;
  if (operations.some(({ kind, token = '' }) => kind === 'remove' && !tokens.has(token))) return true;
  // Any other part begins with the login that has its lowest number.
  return !isFirst && Object.values(sessions)[0]?.login !== operations[0];
}

/** When the reads of a part were sent. */
interface Reads {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly hasFinal: boolean;
}

function readsOf(operations: readonly Operation[]): Reads {
  const reads = operations.filter(({ kind }) => kind === 'read');
  const { sentMs: firstMs = Number.POSITIVE_INFINITY } = reads[0] ?? {};
  const { sentMs: lastMs = Number.NEGATIVE_INFINITY } = reads.at(-1) ?? {};
  return { firstMs, lastMs, hasFinal: reads.some(({ final }) => final) };
}

/** Whether a judgement holds under another verification: the same reads are late enough to verify something. */
function isStillTrue<Result>(judged: Judged<Result> | undefined, now: Verification): boolean {
  if (judged === undefined) return false;
  const { verification: before, reads } = judged;
  if (before.fromMs === now.fromMs && before.finalOnly === now.finalOnly) return true;
  const late = lateOf(reads, now);
  return late !== 'some' && late === lateOf(reads, before);
}

/** Returns how many of the reads are late enough to verify something. */
function lateOf({ firstMs, lastMs, hasFinal }: Reads, { fromMs, finalOnly }: Verification): 'none' | 'some' | 'all' {
  if (finalOnly) return hasFinal ? 'some' : 'none';
  if (lastMs < fromMs) return 'none';
  return firstMs >= fromMs ? 'all' : 'some';
}

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
