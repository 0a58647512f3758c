import type { Operation, RunRecord } from '../../history/records.js';
import { FaultWatch, MemberWatch } from '../fault-findings.js';
import { type Band, isOfPlan } from '../load.js';
import { addCounts, type NestedCounts, newTally, type Tally } from '../tally.js';
import { addCandidates } from './blame.js';
import { judgeLogins } from './logins.js';
import { judgeLosses } from './losses.js';
import { judgeReads } from './reads.js';
import { storyOf, type Verification, verificationOf } from './sessions.js';

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
  readonly #run: RunRecord;
  readonly #verification: Verification;

  /** Reads everything of `run` except its operations. */
  constructor(run: RunRecord, band: Band) {
    this.#run = run;
    this.#verification = verificationOf(run);
    this.faults = new FaultWatch(run, band);
    this.members = new MemberWatch(run);
  }

  /** Takes the operations of one user, in sending order. */
  see(operations: readonly Operation[]): void {
    const { tally } = this;
    const [before, incidentsBefore] = [tally.users.loggedOut, tally.incidents.length];
    this.#judge(operations);
    this.#blameFrom(incidentsBefore, operations);
    this.members.see(operations);
    const isExposed = this.faults.see(operations);
    if (isExposed) tally.exposure.exposed += 1;
    else if (tally.users.loggedOut > before) tally.exposure.loggedOutUnexposed += 1;
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
    if (this.#run.faults.length === 0 || incidents.length === first) return;
    incidents.push(...addCandidates(incidents.splice(first), operations, this.#run));
  }

  #judge(operations: readonly Operation[]): void {
    const { faults, header } = this.#run;
    const story = storyOf(operations, this.#verification);
    countOperations(operations, this.tally);
    judgeReads(story, this.#verification, header.nonce, this.tally);
    const resets = judgeLosses(story, faults, this.#verification, this.tally);
    judgeLogins(story, resets, header.revocationLagMs ?? 0, this.tally);
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
