import type { FaultRecord, Operation, RunRecord } from '../history.js';

const windowMs = 2000;
const stepMs = 100;
/** Share of slow operations at which the 90th percentile lies outside the band. */
const slowShare = 0.1;

export interface Recovery {
  readonly recoveryMs: number | null;
  readonly recovered: boolean;
}

/**
 * How long the system needed to be as it was before the first confirmed fault. A window of two seconds slides over the
 * plan's operations (each at the moment for which it was planned) in steps of 100 ms, from the confirmation to the next
 * confirmed fault or the end of the load; where that is less than four seconds, the window is half of it.
 * Recovered: the first window from which on all are inside the band of the baseline; 0 when none ever left it.
 */
export function recoveryOf(run: RunRecord, loggedOutMs: readonly number[]): Recovery {
  const [first, next] = run.faults.filter(fault => fault.confirmedMs !== null).sort((a, b) => startOf(a) - startOf(b));
  if (first === undefined) return { recoveryMs: null, recovered: true };
  const load = run.operations.filter(isLoad);
  const band = bandBefore(first.requestedMs, run, load, loggedOutMs);
  const startMs = startOf(first);
  const endMs = next === undefined ? endOfLoad(load) : next.requestedMs;
  return firstGoodWindow(stepsOf(startMs, endMs, load, loggedOutMs, band), band);
}

/** What the plan wanted: not the read-back, nor the replay of old cookies. */
function isLoad(operation: Operation): boolean {
  return operation.final === undefined && operation.kind !== 'replay';
}

function startOf(fault: FaultRecord): number {
  return fault.confirmedMs ?? fault.requestedMs;
}

function endOfLoad(load: readonly Operation[]): number {
  return load.reduce((ms, operation) => Math.max(ms, operation.plannedMs), 0);
}

/** What is normal. Allowed: as many errors as chance makes of the baseline's share, the doubled latency, the same rate
 * of log-outs. */
interface Band {
  readonly errorShare: number;
  readonly slowMs: number;
  readonly loggedOutPerMs: number;
}

/** The baseline phase; without one, all that came before the fault. */
function bandBefore(faultMs: number, run: RunRecord, load: readonly Operation[], loggedOutMs: readonly number[]): Band {
  const phase = run.phases.find(({ phase }) => phase === 'baseline') ?? { startMs: 0, endMs: faultMs };
  const isWithin = (ms: number) => ms >= phase.startMs && ms < Math.min(phase.endMs, faultMs);
  const normal = load.filter(operation => isWithin(operation.plannedMs));
  const latencies = Float64Array.from(normal, operation => operation.doneMs - operation.plannedMs).sort();
  const p90 = latencies[Math.ceil(0.9 * latencies.length) - 1] ?? Number.POSITIVE_INFINITY;
  return {
    errorShare: normal.filter(({ outcome }) => outcome !== 'ok').length / Math.max(1, normal.length),
    slowMs: p90 * 2 + 10,
    loggedOutPerMs: loggedOutMs.filter(isWithin).length / Math.max(1, phase.endMs - phase.startMs),
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

function stepsOf(
  startMs: number,
  endMs: number,
  load: readonly Operation[],
  loggedOutMs: readonly number[],
  band: Band,
): Steps {
  const count = Math.max(1, Math.ceil((endMs - startMs) / stepMs));
  const totals = () => new Float64Array(count + 1);
  const steps = { count, operations: totals(), errors: totals(), slow: totals(), loggedOut: totals() };
  const add = (to: Float64Array, ms: number) => {
    const step = Math.floor((ms - startMs) / stepMs) + 1;
    if (step >= 1 && step <= count) to[step] = (to[step] ?? 0) + 1;
  };
  for (const { plannedMs, doneMs, outcome } of load) {
    if (plannedMs < startMs || plannedMs > endMs) continue;
    add(steps.operations, plannedMs);
    if (outcome !== 'ok') add(steps.errors, plannedMs);
    if (doneMs - plannedMs > band.slowMs) add(steps.slow, plannedMs);
  }
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
  return good > last ? { recoveryMs: null, recovered: false } : { recoveryMs: good * stepMs, recovered: true };
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
