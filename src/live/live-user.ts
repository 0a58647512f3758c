import type { Incident, Tally } from '../simulator/checker/findings.js';
import { GrowingUser, type PresentState, presentStateOf } from '../simulator/checker/users/growing-user.js';
import { firstMissedBy, isLost, isMissing } from '../simulator/checker/users/losses.js';
import { isAnotherUser, isOwnCart } from '../simulator/checker/users/operations.js';
import type { Story } from '../simulator/checker/users/sessions.js';
import type { UserRules } from '../simulator/checker/users/user-pass.js';
import type { Operation } from '../simulator/history/records.js';
import type { CountsView, MarkView, UserStateName, UserView } from './protocol.js';

/** A request that has been in flight for longer makes its user wait. */
const waitingAfterMs = 300;
/** How long a user that has left is still shown. */
const goneShownMs = 3_000;

/** The counts of one user. Those of all users add up to the counts of `check`. */
type UserCounts = Readonly<Record<Exclude<keyof CountsView, 'p99Ms'>, number>>;

export const noCounts: UserCounts = {
  loggedOut: 0,
  exposed: 0,
  acknowledged: 0,
  missing: 0,
  lost: 0,
  failed: 0,
  unknown: 0,
  swapped: 0,
};

const countNames = Object.keys(noCounts) as (keyof UserCounts)[];

/** Adds to `into` what has changed between two judgements of one user. */
export function addDifference(into: Record<keyof UserCounts, number>, before: UserCounts, after: UserCounts): void {
  for (const name of countNames) into[name] += after[name] - before[name];
}

/** The result of judging one user. */
interface UserJudgement {
  readonly counts: UserCounts;
  readonly state: PresentState;
  readonly marks: readonly MarkView[];
  /** Ids of the faults that exposed the user. */
  readonly exposedBy: readonly string[];
}

/** The result of judging one part of its operations (`GrowingUser`). */
interface PartJudgement extends Omit<UserJudgement, 'exposedBy'> {
  /** When the latest of its marks was seen. */
  readonly lastSeenMs: number;
}

const notJudged: UserJudgement = { counts: noCounts, state: 'arriving', marks: [], exposedBy: [] };

/** One user of a side, with all its operations. */
export class LiveUser {
  readonly name: string;
  judgement = notJudged;
  #operations = new GrowingUser(partOf);
  /** When each request in flight was sent. */
  #inFlightMs: number[] = [];
  #member: string | null = null;
  #hasLeft = false;
  /** When `view` first showed that it had left. */
  #leftMs: number | undefined;
  #view: UserView | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get operations(): readonly Operation[] {
    return this.#operations.operations;
  }

  arrive(): void {
    this.#hasLeft = false;
    this.#leftMs = undefined;
  }

  leave(): void {
    this.#hasLeft = true;
  }

  sent(atMs: number): void {
    this.#inFlightMs.push(atMs);
  }

  /** Takes an operation that has ended. Returns whether it shows trouble. */
  note(operation: Operation): boolean {
    this.#operations.add(operation);
    const sent = this.#inFlightMs.indexOf(operation.sentMs);
    this.#inFlightMs.splice(Math.max(0, sent), 1);
    this.#member = operation.backend ?? this.#member;
    return operation.outcome !== 'ok' || isAnotherUser(operation);
  }

  /** Judges it again. It makes marks only of what was seen at `marksFromMs` or later. */
  judge(rules: UserRules, marksFromMs: number): void {
    const parts = this.#operations.judge(rules);
    const exposedBy = this.#operations.exposedBy(rules).map(({ id }) => id);
    this.judgement = {
      counts: { ...addCounts(parts), exposed: Math.min(1, exposedBy.length) },
      state: parts.at(-1)?.state ?? 'arriving',
      marks: filterRecentMarks(parts, marksFromMs),
      exposedBy,
    };
  }

  /** Returns undefined when it left more than three seconds ago. The same object means that nothing changed. */
  view(nowMs: number): UserView | undefined {
    if (this.#hasLeft) this.#leftMs ??= nowMs;
    if (this.#leftMs !== undefined && nowMs - this.#leftMs > goneShownMs) return undefined;
    const state = this.#stateAt(nowMs);
    if (this.#view?.state !== state || this.#view.member !== this.#member)
      this.#view = { name: this.name, state, member: this.#member };
    return this.#view;
  }

  /** Forgets its judgement, and what came before its present session. Forgets everything if it has left. */
  trim(): void {
    this.judgement = notJudged;
    this.#operations = new GrowingUser(partOf, this.#hasLeft ? [] : presentOperations(this.operations));
  }

  #stateAt(nowMs: number): UserStateName {
    if (this.#hasLeft) return 'gone';
    const { state } = this.judgement;
    const isWaiting = this.#inFlightMs.some(sentMs => nowMs - sentMs > waitingAfterMs);
    return isWaiting && state === 'in' ? 'waiting' : state;
  }
}

/** Returns the judgement of a part of the operations. Nothing is known of its exposure to faults. */
function partOf(story: Story, { users, writes, requests, incidents }: Tally): PartJudgement {
  const counts: UserCounts = {
    loggedOut: users.loggedOut,
    exposed: 0,
    acknowledged: writes.acknowledged,
    missing: writes.missing,
    lost: writes.lost,
    failed: requests.failed,
    unknown: requests.unknown,
    swapped: users.identitySwapped,
  };
  const marks = marksOf(story, incidents);
  const lastSeenMs = marks.reduce((last, { seenMs }) => Math.max(last, seenMs), Number.NEGATIVE_INFINITY);
  return { counts, state: presentStateOf(story), marks, lastSeenMs };
}

/** Adds up the counts of the parts. A user who was logged out in several parts counts once. */
function addCounts(parts: readonly PartJudgement[]): UserCounts {
  const sum = { ...noCounts };
  for (const { counts } of parts) addDifference(sum, noCounts, counts);
  return { ...sum, loggedOut: Math.min(1, sum.loggedOut), swapped: Math.min(1, sum.swapped) };
}

/** Returns the marks that were seen at `fromMs` or later. It skips parts whose marks are all older: most are. */
function filterRecentMarks(parts: readonly PartJudgement[], fromMs: number): MarkView[] {
  const recent = parts.filter(({ lastSeenMs }) => lastSeenMs >= fromMs);
  return recent.flatMap(({ marks }) => marks.filter(({ seenMs }) => seenMs >= fromMs));
}

function marksOf({ tokens }: Story, incidents: readonly Incident[]): MarkView[] {
  const marks: MarkView[] = [];
  for (const { kind, user, sinceMs, seenMs } of incidents)
    if (kind === 'logged-out' || kind === 'identity-swapped') marks.push({ kind, user, sinceMs, seenMs });
  for (const token of tokens.values()) {
    const seen = isMissing(token) ? firstMissedBy(token) : undefined;
    if (seen === undefined) continue;
    const kind = isLost(token) ? 'lost' : 'missing';
    marks.push({ kind, user: seen.user, sinceMs: token.knownMs, seenMs: seen.doneMs });
  }
  return marks;
}

/**
 * Returns the operations from the present acknowledged login on, and three kinds of earlier ones for the checker:
 * - the last logout, because replays of its session may come later;
 * - the login after that logout. Without it, each later good answer would count as a logout that was ignored;
 * - each add whose item may still be in the cart. Without it, the next read would show an item that was never added.
 */
function presentOperations(operations: readonly Operation[]): Operation[] {
  const login = operations.findLastIndex(({ kind, outcome }) => kind === 'login' && outcome === 'ok');
  const from = login < 0 ? operations.length : login;
  const before = operations.slice(0, from);
  const logout = before.findLastIndex(({ kind, outcome }) => kind === 'logout' && outcome === 'ok');
  const next = logout < 0 ? -1 : before.findIndex(({ kind }, index) => index > logout && kind === 'login');
  const read = operations.findLast(isOwnCart);
  const shown = new Set(read?.items);
  const mayBeShown = ({ kind, token = '', doneMs }: Operation) =>
    kind === 'add' && (read === undefined || doneMs > read.sentMs || shown.has(token));
  return operations.filter((one, index) => index >= from || index === logout || index === next || mayBeShown(one));
}
