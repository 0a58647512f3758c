import type { FaultRecord, RunRecord } from '../history/records.js';
import type { Findings, RecoveryState } from './findings.js';
import type { Band, PlannedLoad, Span } from './load.js';

const windowMs = 2000;
const stepMs = 100;
/** If less load than this follows a healing, nothing shows whether the system recovered. */
export const loadAfterHealingMsMin = 2_000;
/** If fewer operations than this follow a healing, nothing shows whether the system recovered. */
const operationsAfterHealingMin = 10;
/** Above this share of slow operations, the 90th percentile lies outside the band. */
const slowShare = 0.1;
/** If more than half of the operations fail before the first fault, there is no normal state to return to. */
const errorShareMax = 0.5;

export interface Recovery {
  readonly recoveryMs: number | null;
  readonly recovery: RecoveryState;
  /** The measures that stayed outside the band, in words. Only for "not recovered". */
  readonly problem?: string;
}

/** Faults that overlap in time. They form one group, because none of them can be blamed or cleared alone. */
export interface FaultGroup {
  readonly faults: readonly FaultRecord[];
  readonly requestedMs: number;
  /** When the last of them was healed. Null: one of them was never healed. */
  readonly healedMs: number | null;
}

/**
 * Returns, for each group of faults, how long after the healing the system was back to its baseline.
 *
 *     baseline | fault | healed ---- windows of 2 s, every 100 ms ---- next group, or end of the load
 *
 * The system has recovered at the first window from which all windows lie in the band of the baseline. A dropped step
 * counts as an error.
 */
export function recoveriesOf(
  groups: readonly FaultGroup[],
  load: PlannedLoad,
  band: Band,
  loggedOutMs: readonly number[],
): Recovery[] {
  const endMs = load.plannedMs.reduce((latest, ms) => Math.max(latest, ms), 0);
  const limits = { ...band, loggedOutPerMs: loggedOutPerMs(band, loggedOutMs) };
  const cannotTell = band.count === 0 || band.errorShare > errorShareMax;
  const spans = groups.map(({ healedMs }, index) => {
    const untilMs = groups[index + 1]?.requestedMs ?? endMs;
    if (healedMs === null || cannotTell || untilMs - healedMs < loadAfterHealingMsMin) return undefined;
    return { fromMs: healedMs, untilMs };
  });
  const stepsOfSpan = countSteps(
    spans.filter(span => span !== undefined),
    load,
    loggedOutMs,
    band,
  );
  return spans.map(span => {
    const steps = span && stepsOfSpan.get(span);
    if (steps === undefined || (steps.operations.at(-1) ?? 0) < operationsAfterHealingMin) return unknown;
    return firstGoodWindow(steps, limits);
  });
}

interface Limits extends Band {
  readonly loggedOutPerMs: number;
}

function loggedOutPerMs({ fromMs, untilMs }: Band, loggedOutMs: readonly number[]): number {
  return loggedOutMs.filter(ms => ms >= fromMs && ms < untilMs).length / Math.max(1, untilMs - fromMs);
}

const unknown: Recovery = { recoveryMs: null, recovery: 'unknown' };

/** Returns the recovery of the whole run, which is the recovery of the last group. */
export function recoveryOfRun(recoveries: readonly Recovery[]): Pick<Findings, 'recoveryMs' | 'recovery'> {
  const last = recoveries.at(-1);
  if (last === undefined) return { recoveryMs: null, recovery: 'none' };
  const { problem, ...state } = last;
  return { ...state, ...(problem !== undefined && { recoveryProblem: problem }) };
}

/** Returns the confirmed faults in groups, in the order of their requests. */
export function groupsOf({ faults }: Pick<RunRecord, 'faults'>): FaultGroup[] {
  const confirmed = faults.filter(({ confirmedMs }) => confirmedMs !== null);
  const groups: FaultGroup[] = [];
  for (const fault of confirmed.toSorted((a, b) => a.requestedMs - b.requestedMs)) {
    const last = groups.at(-1);
    const overlaps = last !== undefined && (last.healedMs === null || fault.requestedMs <= last.healedMs);
    if (!overlaps) groups.push({ faults: [fault], requestedMs: fault.requestedMs, healedMs: fault.healedMs });
    else groups[groups.length - 1] = { ...last, faults: [...last.faults, fault], healedMs: laterOf(last, fault) };
  }
  return groups;
}

function laterOf(one: Pick<FaultRecord, 'healedMs'>, other: Pick<FaultRecord, 'healedMs'>): number | null {
  return one.healedMs === null || other.healedMs === null ? null : Math.max(one.healedMs, other.healedMs);
}

/** Running totals at the end of each step, so that the count of any window is a difference of two totals. */
interface Steps {
  readonly fromMs: number;
  readonly count: number;
  readonly operations: Float64Array;
  readonly errors: Float64Array;
  readonly slow: Float64Array;
  readonly loggedOut: Float64Array;
}

type Measure = Exclude<keyof Steps, 'fromMs' | 'count'>;
const measures = ['operations', 'errors', 'slow', 'loggedOut'] as const satisfies readonly Measure[];

/** Counts the steps of all spans in one pass over the load. The spans are in order, and none begins in another. */
function countSteps(
  spans: readonly Span[],
  load: PlannedLoad,
  loggedOutMs: readonly number[],
  { slowMs }: Band,
): ReadonlyMap<Span, Steps> {
  const stepsBySpan = new Map(spans.map(span => [span, emptySteps(span)]));
  const counter = new StepCounter([...stepsBySpan.values()]);
  load.plannedMs.forEach((ms, i) => {
    counter.add('operations', ms);
    if (load.failed[i] === 1) counter.add('errors', ms);
    if ((load.latencyMs[i] ?? 0) > slowMs) counter.add('slow', ms);
  });
  for (const ms of loggedOutMs) counter.add('loggedOut', ms);
  for (const steps of stepsBySpan.values()) for (const measure of measures) accumulate(steps[measure]);
  return stepsBySpan;
}

function emptySteps({ fromMs, untilMs }: Span): Steps {
  const count = Math.max(1, Math.ceil((untilMs - fromMs) / stepMs));
  const totals = () => new Float64Array(count + 1);
  return { fromMs, count, operations: totals(), errors: totals(), slow: totals(), loggedOut: totals() };
}

/** Adds moments to the steps that contain them. */
class StepCounter {
  readonly #all: readonly Steps[];
  /** Number of spans that had begun at the last moment. Most moments come in order. */
  #begun = 0;

  constructor(all: readonly Steps[]) {
    this.#all = all;
  }

  add(measure: Measure, ms: number): void {
    this.#moveTo(ms);
    // The last step of a span may reach into the next span.
    for (let i = this.#begun - 1; i >= 0; i -= 1) {
      const steps = this.#all[i];
      if (steps === undefined) return;
      const step = Math.floor((ms - steps.fromMs) / stepMs) + 1;
      if (step > steps.count) return;
      const counts = steps[measure];
      counts[step] = (counts[step] ?? 0) + 1;
    }
  }

  #moveTo(ms: number): void {
    while (this.#begun > 0 && this.#startOf(this.#begun - 1) > ms) this.#begun -= 1;
    while (this.#begun < this.#all.length && this.#startOf(this.#begun) <= ms) this.#begun += 1;
  }

  #startOf(index: number): number {
    return this.#all[index]?.fromMs ?? Number.POSITIVE_INFINITY;
  }
}

function accumulate(values: Float64Array): void {
  for (let i = 1; i < values.length; i += 1) values[i] = (values[i] ?? 0) + (values[i - 1] ?? 0);
}

function firstGoodWindow(steps: Steps, band: Limits): Recovery {
  const width = Math.max(1, Math.min(windowMs / stepMs, Math.floor(steps.count / 2)));
  const last = steps.count - width;
  let good = last + 1;
  while (good > 0 && problemsIn(steps, good - 1, width, band).length === 0) good -= 1;
  // A window without operations shows no recovery. The first window with operations does.
  while (good < last && steps.operations[good + width] === steps.operations[good]) good += 1;
  if (good <= last) return { recoveryMs: good * stepMs, recovery: 'recovered' };
  return { recoveryMs: null, recovery: 'not recovered', problem: problemsIn(steps, last, width, band).join(', ') };
}

/** Lists, in words, what lies outside the band in this window. A window without operations has no problems. */
function problemsIn(steps: Steps, from: number, width: number, band: Limits): string[] {
  const within = (total: Float64Array) => (total[from + width] ?? 0) - (total[from] ?? 0);
  const [operations, errors, slow, loggedOut] = [steps.operations, steps.errors, steps.slow, steps.loggedOut].map(
    within,
  );
  const [all, byShare] = [operations ?? 0, band.errorShare * (operations ?? 0)];
  const byChance = 3 * Math.sqrt(band.errorShare * (1 - band.errorShare) * all);
  const problems: string[] = [];
  if ((errors ?? 0) > byShare + byChance)
    problems.push(`${percent(errors, all)} errors against ${percent(band.errorShare, 1)} in the baseline`);
  if ((slow ?? 0) > slowShare * all)
    problems.push(`${percent(slow, all)} of the answers took more than ${Math.round(band.slowMs)} ms`);
  if ((loggedOut ?? 0) > band.loggedOutPerMs * width * stepMs) problems.push(`${loggedOut} users were logged out`);
  return problems;
}

function percent(part: number | undefined, whole: number): string {
  return `${(Math.round((1000 * (part ?? 0)) / Math.max(1, whole)) / 10).toFixed(1)} %`;
}
