import type { FaultRecord, Operation, RunRecord } from '../../history/records.js';
import { addCandidates, ExposureWatch, FaultWatch, MemberWatch } from '../fault-findings.js';
import { addCounts, type NestedCounts, newTally, type Tally } from '../findings.js';
import { type Band, isOfPlan } from '../load.js';
import { judgeLogins } from './logins.js';
import { judgeLosses } from './losses.js';
import { wasAnswered } from './operations.js';
import { judgeReads } from './reads.js';
import { type Story, storyOf, verificationOf } from './sessions.js';

/** Everything of a run that decides how its users are judged, except the operations. */
export type UserRules = ReturnType<typeof rulesOf>;

export function rulesOf(run: RunRecord) {
  return { run, verification: verificationOf(run), exposure: new ExposureWatch(run) };
}

export interface JudgedUser {
  readonly story: Story;
  readonly exposedBy: readonly FaultRecord[];
}

/**
 * Judges one user from all its operations, in sending order, and adds the counts to `tally`. It does not name the
 * faults that can explain the incidents (`addCandidates`).
 */
export function judgeUser(operations: readonly Operation[], rules: UserRules, tally: Tally): JudgedUser {
  const loggedOutBefore = tally.users.loggedOut;
  const story = judgeSessions(operations, rules, tally);
  const exposedBy = rules.exposure.exposedBy(operations);
  noteVersions(operations, tally.exposure);
  noteMove(operations, rules.run.faults, tally.exposure);
  if (exposedBy.length > 0) tally.exposure.exposed += 1;
  else if (tally.users.loggedOut > loggedOutBefore) tally.exposure.loggedOutUnexposed += 1;
  return { story, exposedBy };
}

/** Judges all but the exposure to faults. It keeps nothing between two calls, so the live lab judges a user again
 * (`growing-user.ts`). */
export function judgeSessions(
  operations: readonly Operation[],
  { run: { header, faults }, verification }: UserRules,
  tally: Tally,
): Story {
  const story = storyOf(operations, verification);
  countOperations(operations, tally);
  judgeReads(story, verification, header.nonce, tally);
  const resets = judgeLosses(story, faults, verification, tally);
  judgeLogins(story, resets, header.revocationLagMs ?? 0, tally);
  return story;
}

/** The counts of a pass: plain data that a thread can send. */
export interface PassCounts {
  readonly tally: Tally;
  readonly faults: NestedCounts;
  readonly members: NestedCounts;
}

/**
 * Judges users one by one. Users cannot affect each other's tokens. Passes over parts of the users therefore add up to
 * the pass over all users.
 */
export class UserPass {
  readonly tally = newTally();
  readonly faults: FaultWatch;
  readonly members: MemberWatch;
  readonly #rules: UserRules;

  /** Reads everything of `run` except its operations. */
  constructor(run: RunRecord, band: Band) {
    this.#rules = rulesOf(run);
    this.faults = new FaultWatch(run, band);
    this.members = new MemberWatch(run);
  }

  /** Takes the operations of one user, in sending order. */
  see(operations: readonly Operation[]): void {
    const incidentsBefore = this.tally.incidents.length;
    const { exposedBy } = judgeUser(operations, this.#rules, this.tally);
    this.#blameFrom(incidentsBefore, operations);
    this.members.see(operations);
    this.faults.see(operations, exposedBy);
  }

  counts(): PassCounts {
    return { tally: this.tally, faults: this.faults.counts, members: this.members.counts };
  }

  /** Adds the counts of a pass over other users. */
  add({ tally, faults, members }: PassCounts): void {
    const { pauses, ...sums } = tally;
    const { pauses: ownPauses, ...ownSums } = this.tally;
    ownPauses.longestSurvivedMs = Math.max(ownPauses.longestSurvivedMs, pauses.longestSurvivedMs);
    addCounts(ownSums, sums);
    addCounts(this.faults.counts, faults);
    addCounts(this.members.counts, members);
  }

  /** Names the faults that can explain the incidents of one user, which begin at index `first` of the list. */
  #blameFrom(first: number, operations: readonly Operation[]): void {
    const { incidents } = this.tally;
    const { run } = this.#rules;
    if (run.faults.length === 0 || incidents.length === first) return;
    incidents.push(...addCandidates(incidents.splice(first), operations, run));
  }
}

/** Counts every operation that was sent, including replays and the read-back, which are not part of the plan. */
function countOperations(operations: readonly Operation[], { users, writes, requests, evidence }: Tally): void {
  users.total += 1;
  if (operations.some(({ kind, outcome }) => kind === 'login' && outcome === 'ok')) evidence.loggedIn += 1;
  for (const operation of operations) {
    const { kind, outcome } = operation;
    requests[outcome === 'fail' ? 'failed' : outcome] += 1;
    if (isOfPlan(operation)) {
      requests.ofPlan += 1;
      if (outcome !== 'ok') requests.bad += 1;
    }
    if (kind !== 'add') continue;
    evidence.adds += 1;
    if (outcome === 'ok') writes.acknowledged += 1;
    else if (outcome === 'unknown') writes.unknown += 1;
  }
}

/** Counts the user if two versions answered it, and if an old version answered it again after a new one. The operations
 * are in sending order. */
export function noteVersions(operations: readonly Operation[], counts: Tally['exposure']): void {
  const seen = new Set<string>();
  let [last, lastDoneMs, hasGoneBack] = ['', 0, false];
  for (const { kind, version, sentMs, doneMs } of operations) {
    // A replay runs beside other requests, and so may the requests of tabs: their order is not known.
    if (version === undefined || kind === 'replay' || sentMs < lastDoneMs) continue;
    if (version !== last && seen.has(version)) hasGoneBack = true;
    seen.add(version);
    [last, lastDoneMs] = [version, doneMs];
  }
  if (seen.size > 1) counts.sawBothVersions += 1;
  if (hasGoneBack) counts.wentBack += 1;
}

/** Counts the user if it was answered before the first fault and after the last one was confirmed, and if another
 * backend answered it then. The operations are in sending order. */
export function noteMove(
  operations: readonly Operation[],
  faults: readonly FaultRecord[],
  counts: Tally['exposure'],
): void {
  const beforeMs = Math.min(...faults.map(({ requestedMs }) => requestedMs));
  const afterMs = Math.max(...faults.map(({ confirmedMs }) => confirmedMs ?? Number.NEGATIVE_INFINITY));
  let before: string | undefined;
  for (const operation of operations) {
    const { backend, sentMs, doneMs } = operation;
    if (backend === undefined || !wasAnswered(operation)) continue;
    if (doneMs < beforeMs) before = backend;
    else if (sentMs >= afterMs && afterMs >= beforeMs) {
      if (before === undefined) return;
      counts.present += 1;
      if (backend !== before) counts.moved += 1;
      return;
    }
  }
}
