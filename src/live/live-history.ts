import { hasWaitTime, isOfPlan, percentilesOf } from '../simulator/checker/load.js';
import { rulesOf, type UserRules } from '../simulator/checker/users/user-pass.js';
import { faults } from '../simulator/faults/kinds/registry.js';
import type {
  FaultRecord,
  LabRecord,
  ListedRun,
  MemberRecord,
  Operation,
  PhaseName,
  PhaseRecord,
  RunHeader,
} from '../simulator/history/records.js';
import { noLab } from '../simulator/run/lab-health.js';
import { addDifference, LiveUser, noCounts } from './live-user.js';
import {
  type BinView,
  type CountsView,
  type MarkView,
  type MemberView,
  type SideView,
  type StrikeState,
  type StrikeView,
  shownMs,
  type UserView,
} from './protocol.js';

interface LiveHistoryOptions {
  /** `planned` and `faults` are ignored: `record` fills them in. */
  readonly header: RunHeader;
  /** At this number of operations, `trim` runs by itself. */
  readonly operationsMax?: number;
  /** Called after each `trim`. */
  readonly onTrim?: () => void;
  /** Clock for the budget of `judgeSome`, in milliseconds. */
  readonly now?: () => number;
}

interface LiveStrike {
  readonly record: FaultRecord;
  readonly view: StrikeView;
}

type HistoryView = Pick<SideView, 'users' | 'members' | 'counts' | 'strikes' | 'bins' | 'marks'>;

const countsAtStart: CountsView = { ...noCounts, exposed: null, p99Ms: null };
/** A timeline of one minute cannot show more marks than these. */
const marksMax = 1_000;
/** While users with trouble wait, every fourth judgement is of a user without trouble. */
const calmTurn = 4;

/**
 * The history of one side while it goes on, and what the checker says of it so far:
 *
 *     operations, strikes -> users to judge again -> judgeSome: the checker, user by user -> counts, marks, states
 *
 * Each user is judged alone and from all its operations. The difference to its last judgement goes into the counts. So
 * after `judgeAll` the counts are those of `check` for `record`. A strike or a healing changes which reads verify a
 * write, so every user is judged again.
 */
export class LiveHistory {
  readonly #header: RunHeader;
  readonly #operationsMax: number;
  readonly #onTrim: () => void;
  readonly #now: () => number;
  readonly #users = new Map<string, LiveUser>();
  #operations: Operation[] = [];
  /** At this number of operations, `trim` runs. */
  #trimAt: number;
  #members: MemberRecord[] = [];
  readonly #memberViews = new Map<string, MemberView>();
  readonly #strikes = new Map<string, LiveStrike>();
  readonly #phases = new Map<PhaseName, PhaseRecord>();
  readonly #bins = new LiveBins();
  readonly #counts = { ...noCounts };
  /** Users to judge again, with trouble and without. The longest waiting is the first in each set. */
  readonly #troubled = new Set<LiveUser>();
  readonly #calm = new Set<LiveUser>();
  #rules: UserRules | undefined;
  #turn = 0;
  #latestMs = 0;

  constructor(options: LiveHistoryOptions) {
    const { header, operationsMax = 500_000, onTrim = () => undefined, now = () => performance.now() } = options;
    this.#header = header;
    this.#onTrim = onTrim;
    this.#operationsMax = operationsMax;
    this.#trimAt = operationsMax;
    this.#now = now;
    for (const { name, role } of header.system?.members ?? [])
      this.#memberViews.set(name, { name, role, state: 'starting', sinceMs: 0 });
  }

  userAdded(name: string): void {
    this.#userOf(name).arrive();
  }

  /** Its operations stay. */
  userLeft(name: string): void {
    this.#users.get(name)?.leave();
  }

  /** A request of this user was sent. `operation` ends it. */
  sent(user: string, atMs: number): void {
    this.#userOf(user).sent(atMs);
  }

  /** Takes an operation that has ended. */
  operation(operation: Operation): void {
    const user = this.#userOf(operation.user);
    const isTrouble = user.note(operation);
    this.#operations.push(operation);
    this.#bins.note(operation);
    this.#latestMs = Math.max(this.#latestMs, operation.doneMs);
    if (isTrouble || !isCalm(user)) this.#troubled.add(user);
    else this.#calm.add(user);
    if (this.#operations.length >= this.#trimAt) this.trim();
  }

  member(record: MemberRecord): void {
    this.#members.push(record);
    const { member: name, state, atMs, role: storeRole } = record;
    const before = this.#memberViews.get(name);
    if (before === undefined) return;
    const after = state === 'dead' && isNeverStarted(before) ? 'spare' : state;
    const sinceMs = before.state === after ? before.sinceMs : atMs;
    this.#memberViews.set(name, { ...before, state: after, sinceMs, ...(isStoreRole(storeRole) && { storeRole }) });
  }

  /** Takes the numbers of bound browsers, by backend. A backend without a number is one that the proxy does not bind. */
  bound(counts: ReadonlyMap<string, number>): void {
    for (const [name, { bound: before, ...view }] of this.#memberViews) {
      const bound = counts.get(name);
      if (bound !== before) this.#memberViews.set(name, { ...view, ...(bound !== undefined && { bound }) });
    }
  }

  /** Takes the record of a fault at each transition, the same object or another with the same id. */
  strike(record: FaultRecord, state: StrikeState): StrikeView {
    const { before = this.#countsAt(record.requestedMs), exposed = 0 } = this.#strikes.get(record.id)?.view ?? {};
    const view = { ...describeRecord(record, state), before, exposed };
    this.#strikes.set(record.id, { record: { ...record }, view });
    this.#judgeAllAgain();
    return view;
  }

  /** Takes a phase when it ends. The last record of a phase counts. */
  phase(record: PhaseRecord): void {
    this.#phases.set(record.phase, record);
    this.#judgeAllAgain();
  }

  /** Judges users that have news: those with trouble first, then the longest waiting. It stops after the user at which
   * the budget is spent. */
  judgeSome(budgetMs: number): void {
    const untilMs = this.#now() + budgetMs;
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      this.#judge(next);
      if (this.#now() >= untilMs) return;
    }
  }

  judgeAll(): void {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) this.#judge(next);
  }

  view(nowMs: number): HistoryView {
    const all = [...this.#users.values()];
    return {
      users: all.map(user => user.view(nowMs)).filter((view): view is UserView => view !== undefined),
      members: [...this.#memberViews.values()],
      counts: this.#countsAt(nowMs),
      strikes: [...this.#strikes.values()].map(({ view }) => view),
      bins: this.#bins.view(nowMs),
      marks: all
        .flatMap(({ judgement }) => judgement.marks.filter(isShownAt(nowMs)))
        .sort(bySeen)
        .slice(-marksMax),
    };
  }

  /** Returns the history so far, as a run. */
  record(lab: LabRecord): ListedRun {
    const operations = [...this.#operations];
    const planned = operations.filter(isOfPlan).length + lab.dropped;
    const run = this.#runWithout(lab);
    return { ...run, header: { ...run.header, planned, faults: run.faults.map(({ id }) => id) }, operations };
  }

  /** Returns the operations of one user, in sending order. Empty when there is no such user. */
  operationsOf(user: string): readonly Operation[] {
    return this.#users.get(user)?.operations ?? [];
  }

  /**
   * Forgets everything but the present sessions and the strikes that are not healed. Of each user it keeps the
   * operations from the present acknowledged login on, and the few earlier ones that the checker needs to judge them.
   */
  trim(): void {
    const kept = new Set<Operation>();
    for (const user of this.#users.values()) {
      user.trim();
      for (const operation of user.operations) kept.add(operation);
    }
    this.#operations = this.#operations.filter(operation => kept.has(operation));
    // Sessions that never end may be too many by themselves. Then it waits until there are twice as many.
    this.#trimAt = Math.max(this.#operationsMax, 2 * this.#operations.length);
    const latest = new Map(this.#members.map(record => [record.member, record]));
    this.#members = this.#members.filter(record => latest.get(record.member) === record);
    for (const [id, { record, view }] of this.#strikes) {
      if (view.state === 'healed') this.#strikes.delete(id);
      else this.#strikes.set(id, { record, view: { ...view, exposed: 0, before: countsAtStart } });
    }
    Object.assign(this.#counts, noCounts);
    this.#judgeAllAgain();
    this.judgeAll();
    this.#onTrim();
  }

  #userOf(name: string): LiveUser {
    let user = this.#users.get(name);
    if (user === undefined) {
      user = new LiveUser(name);
      this.#users.set(name, user);
    }
    return user;
  }

  #judgeAllAgain(): void {
    this.#rules = undefined;
    for (const user of this.#users.values()) if (!this.#troubled.has(user)) this.#calm.add(user);
  }

  /** Returns the next user to judge, and takes it out of its set. Undefined when no user waits. */
  #takeNext(): LiveUser | undefined {
    this.#turn = (this.#turn + 1) % calmTurn;
    const [first, second] = this.#turn === 0 ? [this.#calm, this.#troubled] : [this.#troubled, this.#calm];
    const [next] = first.size > 0 ? first : second;
    if (next === undefined) return undefined;
    this.#troubled.delete(next);
    this.#calm.delete(next);
    return next;
  }

  #judge(user: LiveUser): void {
    const before = user.judgement;
    user.judge(this.#rulesNow(), this.#latestMs - shownMs);
    addDifference(this.#counts, before.counts, user.judgement.counts);
    const [former, present] = [new Set(before.exposedBy), new Set(user.judgement.exposedBy)];
    this.#countExposed(former, present, -1);
    this.#countExposed(present, former, 1);
  }

  /** Changes the counts of the strikes that one set has and the other does not. */
  #countExposed(ids: ReadonlySet<string>, others: ReadonlySet<string>, by: number): void {
    for (const id of ids) {
      if (others.has(id)) continue;
      const strike = this.#strikes.get(id);
      if (strike === undefined) continue;
      this.#strikes.set(id, { ...strike, view: { ...strike.view, exposed: strike.view.exposed + by } });
    }
  }

  #rulesNow(): UserRules {
    this.#rules ??= rulesOf(this.#runWithout(noLab));
    return this.#rules;
  }

  /** Returns the run without its operations. */
  #runWithout(lab: LabRecord): ListedRun {
    return {
      header: this.#header,
      operations: [],
      phases: [...this.#phases.values()],
      faults: [...this.#strikes.values()].map(({ record }) => record),
      members: [...this.#members],
      lab,
    };
  }

  #countsAt(nowMs: number): CountsView {
    const isStruck = this.#strikes.size > 0;
    const exposed = isStruck ? this.#counts.exposed : null;
    return { ...this.#counts, exposed, p99Ms: this.#bins.recentP99Ms(nowMs) };
  }
}

/** Whether a member has had no other state than those before its first start. */
function isNeverStarted({ role, state }: MemberView): boolean {
  return role === 'backend' && (state === 'starting' || state === 'spare');
}

function isStoreRole(role: string | undefined): role is 'primary' | 'replica' {
  return role === 'primary' || role === 'replica';
}

/** Whether nothing was wrong with the user when it was judged last. */
function isCalm({ judgement: { state } }: LiveUser): boolean {
  return state === 'in' || state === 'arriving' || state === 'gone';
}

function describeRecord(record: FaultRecord, state: StrikeState): Omit<StrikeView, 'before' | 'exposed'> {
  const { id, fault, target, requestedMs, confirmedMs, healedMs, evidence, notBack } = record;
  const problem = record.problem ?? notBack?.map(({ member, why }) => `${member} did not come back: ${why}`).join('; ');
  const doneInWords = faults[fault]?.doneInWords;
  return {
    ...{ id, fault, target, state, requestedMs, confirmedMs, healedMs },
    ...(doneInWords !== undefined && { doneInWords }),
    ...(evidence !== undefined && { evidence }),
    ...(problem !== undefined && { problem }),
  };
}

function isShownAt(nowMs: number) {
  return ({ seenMs }: MarkView): boolean => seenMs > nowMs - shownMs;
}

function bySeen(one: MarkView, other: MarkView): number {
  return one.seenMs - other.seenMs;
}

const binMs = 1_000;
/** The part of the run that the percentile of the counters covers. */
const recentMs = 5_000;

interface Bin {
  readonly atMs: number;
  readonly counts: { ok: number; failed: number; unknown: number };
  /** When each answered operation ended, and its response time. */
  readonly doneMs: number[];
  readonly latencyMs: number[];
  /** The latest view, until another operation ends in this second. */
  view: BinView | undefined;
}

/** Counts the operations of each second in which they ended, for the last minute. */
class LiveBins {
  readonly #bins = new Map<number, Bin>();

  note(operation: Operation): void {
    const { outcome, doneMs, plannedMs } = operation;
    const bin = this.#binAt(Math.floor(doneMs / binMs) * binMs);
    bin.view = undefined;
    bin.counts[outcome === 'fail' ? 'failed' : outcome] += 1;
    if (!hasWaitTime(operation)) return;
    bin.doneMs.push(doneMs);
    bin.latencyMs.push(doneMs - plannedMs);
  }

  /** Returns the seconds of the last minute in which an operation ended, in order. Forgets earlier ones. */
  view(nowMs: number): BinView[] {
    for (const atMs of this.#bins.keys()) if (atMs <= nowMs - shownMs - binMs) this.#bins.delete(atMs);
    return [...this.#bins.values()].sort((a, b) => a.atMs - b.atMs).map(viewOf);
  }

  /** Returns the 99th percentile of the response times of the last five seconds. Null: there was no answer. */
  recentP99Ms(nowMs: number): number | null {
    const latencyMs: number[] = [];
    for (const bin of this.#bins.values()) {
      if (bin.atMs + binMs <= nowMs - recentMs) continue;
      bin.doneMs.forEach((doneMs, i) => {
        if (doneMs > nowMs - recentMs) latencyMs.push(bin.latencyMs[i] ?? 0);
      });
    }
    return percentilesOf(Float64Array.from(latencyMs)).p99;
  }

  #binAt(atMs: number): Bin {
    let bin = this.#bins.get(atMs);
    if (bin === undefined) {
      bin = { atMs, counts: { ok: 0, failed: 0, unknown: 0 }, doneMs: [], latencyMs: [], view: undefined };
      this.#bins.set(atMs, bin);
    }
    return bin;
  }
}

function viewOf(bin: Bin): BinView {
  if (bin.view === undefined) {
    const { p50, p99 } = percentilesOf(Float64Array.from(bin.latencyMs));
    bin.view = { atMs: bin.atMs, ...bin.counts, p50Ms: p50, p99Ms: p99 };
  }
  return bin.view;
}
