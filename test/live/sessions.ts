import type { ModeName } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import type { FaultRecord, ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { FaultSpec, Scenario } from '#src/simulator/scenario/scenario.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';

/** The scenario of a live lab for tests: nothing strikes by itself. */
export const lab: Scenario = parseScenario(
  `name: live
why: A live lab for tests.
seed: 42
modes: [all]
system:
  backends: { count: 3, spare: 1 }
  proxy: { health: { every: 200ms, timeout: 200ms, fall: 2, rise: 1 }, drain: 500ms }
users:
  arrivals: { rate: 12/s, for: 2s, process: uniform, max-active: 24 }
  think: { median: 300ms, p95: 800ms }
  timeout: 1s
phases: { warmup: 2s, baseline: 1500ms, faults: 4s, recovery: 3s, quiesce: 200ms }
`,
  'live.yaml',
);

const sessions = new Map<string, Promise<ListedRun>>();

/**
 * Makes a session of the live lab in memory. A fault without a length is active when the session ends. The same
 * arguments give the same session, so each is made once.
 */
export function sessionInMemory(mode: ModeName, faults: readonly FaultSpec[], scenario = lab): Promise<ListedRun> {
  const key = JSON.stringify([mode, faults, scenario]);
  const known = sessions.get(key);
  if (known !== undefined) return known;
  const struck = { ...scenario, faults };
  const made = runInMemory(struck, mode, makePlan(struck, struck.seed)).then(toSession);
  sessions.set(key, made);
  return made;
}

/** Turns a run into a session: without expectations and without a read-back, and it ends while faults are active. */
export function toSession(run: ListedRun): ListedRun {
  const { phases, faults, operations } = run;
  const isOpen = faults.some(({ healedMs }) => healedMs !== null && healedMs >= endOf(run, 'faults'));
  const endMs = isOpen ? endOf(run, 'faults') : endOf(run, 'recovery');
  return {
    ...run,
    header: { ...run.header, scenario: 'live', live: true, expectations: [], faults: faults.map(({ id }) => id) },
    operations: operations.filter(({ doneMs, final }) => doneMs <= endMs && final === undefined),
    phases: phases
      .filter(({ phase }) => ['warmup', 'baseline', 'faults'].includes(phase))
      .map(each => (each.phase === 'faults' ? { ...each, endMs } : each)),
    faults: faults.map(fault =>
      fault.healedMs !== null && fault.healedMs >= endOf(run, 'faults')
        ? { ...fault, healRequestedMs: null, healedMs: null }
        : fault,
    ),
    members: run.members.filter(({ atMs }) => atMs <= endMs),
  };
}

function endOf({ phases }: ListedRun, name: string): number {
  return phases.find(({ phase }) => phase === name)?.endMs ?? 0;
}

/** One side of a session, with its findings. */
export interface FoundSession {
  readonly run: ListedRun;
  readonly findings: Findings;
}

export function found(run: ListedRun): FoundSession {
  return { run, findings: check(run) };
}

/** Returns the same session with other faults. */
export function changedFaults(
  { run }: FoundSession,
  change: (faults: readonly FaultRecord[]) => readonly FaultRecord[],
): FoundSession {
  return found({ ...run, faults: change(run.faults) });
}

/** Returns the same session, so much later after the start of the lab. */
export function movedBy(ms: number, run: ListedRun): ListedRun {
  const move = (at: number | null | undefined) => (typeof at === 'number' ? at + ms : null);
  return {
    ...run,
    operations: run.operations.map(one => ({
      ...one,
      plannedMs: one.plannedMs + ms,
      sentMs: one.sentMs + ms,
      doneMs: one.doneMs + ms,
    })),
    phases: run.phases.map(phase => ({ ...phase, startMs: phase.startMs + ms, endMs: phase.endMs + ms })),
    faults: run.faults.map(fault => ({
      ...fault,
      requestedMs: fault.requestedMs + ms,
      confirmedMs: move(fault.confirmedMs),
      healRequestedMs: move(fault.healRequestedMs),
      healedMs: move(fault.healedMs),
    })),
    members: run.members.map(member => ({ ...member, atMs: member.atMs + ms })),
    lab: { ...run.lab, droppedMs: (run.lab.droppedMs ?? []).map(at => at + ms) },
  };
}
