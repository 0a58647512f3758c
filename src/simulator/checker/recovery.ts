import type { FaultRecord, RunRecord } from '../history/records.js';
import type { Findings } from './findings.js';
import type { Load } from './load.js';
import { percentilesOf } from './percentiles.js';

const windowMs = 2000;
const stepMs = 100;
/** Share of slow operations at which the 90th percentile lies outside the band. */
const slowShare = 0.1;
/** Where more than half fails before anything was broken there is nothing to come back to: no recovery is measured. */
const errorShareMax = 0.5;

export type Recovery = Pick<Findings, 'recoveryMs' | 'recovery'>;

/**
 * How long the system needed to be as it was before the first confirmed fault. A window of two seconds slides over the
 * plan's operations (each at the moment for which it was planned) in steps of 100 ms, from the confirmation to the next
 * confirmed fault or the end of the load; where that is less than four seconds, the window is half of it.
 * Recovered: the first window from which on all are inside the band of the baseline; 0 when none ever left it.
 */
export function recoveryOf(run: RunRecord, load: Load, loggedOutMs: readonly number[]): Recovery {
  const [first, next] = run.faults.filter(fault => fault.confirmedMs !== null).sort((a, b) => startOf(a) - startOf(b));
  if (first === undefined) return { recoveryMs: null, recovery: 'none' };
  const band = bandOf(load, loggedOutMs, normalTime(run, first));
  if (band.errorShare > errorShareMax) return { recoveryMs: null, recovery: 'unknown' };
  const fromMs = startOf(first);
  const untilMs = next?.requestedMs ?? load.plannedMs.reduce((latest, ms) => Math.max(latest, ms), 0);
  return firstGoodWindow(stepsOf(load, loggedOutMs, { fromMs, untilMs }, band), band);
}

interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

function startOf(fault: FaultRecord): number {
  return fault.confirmedMs ?? fault.requestedMs;
}

/** The baseline phase; without one, all that came before the fault. */
function normalTime({ phases }: RunRecord, { requestedMs }: FaultRecord): Span {
  const baseline = phases.find(({ phase }) => phase === 'baseline');
  return { fromMs: baseline?.startMs ?? 0, untilMs: Math.min(baseline?.endMs ?? requestedMs, requestedMs) };
}

/** What is normal. Allowed: as many errors as chance makes of the baseline's share, twice its latency and a little more
 * (timers, the machine), the same rate of log-outs. */
interface Band {
  readonly errorShare: number;
  readonly slowMs: number;
  readonly loggedOutPerMs: number;
}

function bandOf(load: Load, loggedOutMs: readonly number[], normal: Span): Band {
  const isNormal = (ms: number) => ms >= normal.fromMs && ms < normal.untilMs;
  const latencies = new Float64Array(load.latencyMs.length);
  let [count, failed] = [0, 0];
  for (let i = 0; i < latencies.length; i += 1) {
    if (!isNormal(load.plannedMs[i] ?? 0)) continue;
    latencies[count++] = load.latencyMs[i] ?? 0;
    failed += load.failed[i] ?? 0;
  }
  return {
    errorShare: failed / Math.max(1, count),
    slowMs: count === 0 ? Number.POSITIVE_INFINITY : 2 * (percentilesOf(latencies.subarray(0, count)).p90 ?? 0) + 10,
    loggedOutPerMs: loggedOutMs.filter(isNormal).length / Math.max(1, normal.untilMs - normal.fromMs),
  };
}

/** Running totals at the end of each step, so that any window is a difference of two. */
interface Steps {
  readonly count: number;
  readonly operations: Float64Array;
  readonly errors: Float64Array;
  readonly slow: Float64Array;
  readonly loggedOut: Float64Array;
}

function stepsOf(load: Load, loggedOutMs: readonly number[], span: Span, { slowMs }: Band): Steps {
  const count = Math.max(1, Math.ceil((span.untilMs - span.fromMs) / stepMs));
  const totals = () => new Float64Array(count + 1);
  const steps = { count, operations: totals(), errors: totals(), slow: totals(), loggedOut: totals() };
  const add = (to: Float64Array, ms: number) => {
    const step = Math.floor((ms - span.fromMs) / stepMs) + 1;
    if (step >= 1 && step <= count) to[step] = (to[step] ?? 0) + 1;
  };
  load.plannedMs.forEach((ms, i) => {
    add(steps.operations, ms);
    if (load.failed[i] === 1) add(steps.errors, ms);
    if ((load.latencyMs[i] ?? 0) > slowMs) add(steps.slow, ms);
  });
  for (const ms of loggedOutMs) add(steps.loggedOut, ms);
  for (const total of [steps.operations, steps.errors, steps.slow, steps.loggedOut]) accumulate(total);
  return steps;
}

function accumulate(values: Float64Array): void {
  for (let i = 1; i < values.length; i += 1) values[i] = (values[i] ?? 0) + (values[i - 1] ?? 0);
}

function firstGoodWindow(steps: Steps, band: Band): Recovery {
  const width = Math.max(1, Math.min(windowMs / stepMs, Math.floor(steps.count / 2)));
  const last = steps.count - width;
  let good = last + 1;
  while (good > 0 && isInside(steps, good - 1, width, band)) good -= 1;
  return good > last
    ? { recoveryMs: null, recovery: 'not recovered' }
    : { recoveryMs: good * stepMs, recovery: 'recovered' };
}

/** A window without any operation is inside: nothing shows that it is not. */
function isInside(steps: Steps, from: number, width: number, band: Band): boolean {
  const within = (total: Float64Array) => (total[from + width] ?? 0) - (total[from] ?? 0);
  const operations = within(steps.operations);
  const byChance = 3 * Math.sqrt(band.errorShare * (1 - band.errorShare) * operations);
  return (
    within(steps.errors) <= band.errorShare * operations + byChance &&
    within(steps.slow) <= slowShare * operations &&
    within(steps.loggedOut) <= band.loggedOutPerMs * width * stepMs
  );
}
