import type { FaultFinding, Incident, MemberFindings } from '../../simulator/checker/findings.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { FaultRecord } from '../../simulator/history/records.js';
import { listWarnings } from '../judged-run.js';
import type { OtherTry, Reporter } from '../reporter.js';

/**
 * Renders JSON of schema 1: fields are added, never renamed. The counts come first, the long list of incidents last.
 */
export const json: Reporter = (runs, { notApplicable = [], intervals, otherTries }) => {
  const header = runs[0]?.run.header;
  const whole = {
    schema: 1,
    scenario: header?.scenario,
    seed: header?.seed,
    ...(header?.system?.proxy !== undefined && { proxy: header.system.proxy }),
    ...(intervals && { intervals }),
    notApplicable,
    runs: runs.map(judged => runEntry(judged, otherTries?.get(judged))),
  };
  return `${JSON.stringify(whole, roundToMicroseconds, 2)}\n`;
};

function runEntry({ run, findings, verdict }: JudgedRun, otherTry: OtherTry | undefined) {
  const { incidents, users, writes, requests, latencyMs, recoveryMs, recovery, faults, members, ...more } = findings;
  const { mode, seed, why, startedAt, versions } = run.header;
  return {
    mode,
    verdict: verdict.word,
    ...(otherTry && { [otherTry.which]: { verdict: otherTry.verdict.word, reasons: otherTry.verdict.reasons } }),
    users,
    writes,
    requests,
    latencyMs,
    recoveryMs,
    recovery,
    recovered: recovery !== 'not recovered',
    faults: run.faults.map(fault => faultEntry(fault, faults)),
    members: memberEntries(members),
    expectations: verdict.expectations,
    reasons: verdict.reasons,
    warnings: listWarnings({ verdict, findings }),
    ...more,
    seed,
    why,
    startedAt,
    versions,
    phases: run.phases.map(({ phase, startMs, endMs }) => ({ phase, startMs, endMs })),
    lab: { lagMs: run.lab.lagMs, busyMs: run.lab.busyMs, dropped: run.lab.dropped, counts: run.lab.counts },
    losses: incidents.filter(({ kind }) => kind === 'lost' || kind === 'logged-out').map(lossEntry),
    incidents,
  };
}

function faultEntry({ type: _, ...fault }: FaultRecord, findings: readonly FaultFinding[]) {
  const unknown = { effect: null, exposed: null, recoveryMs: null, recovery: 'unknown' };
  return { ...fault, ...(findings.find(({ id }) => id === fault.id) ?? unknown) };
}

/** Names the members as the metrics do: `members.backend-1.answered`, `members.ejectedAtEnd`. */
function memberEntries({ answered, ejectedAtEnd, idleAfterHealing, notBack }: MemberFindings) {
  return {
    ...Object.fromEntries(Object.entries(answered).map(([name, times]) => [name, { answered: times }])),
    ejectedAtEnd: ejectedAtEnd.length,
    idleAfterHealing: idleAfterHealing.length,
    notBack: notBack.length,
  };
}

function lossEntry({ user, token, kind, sinceMs, seenMs, candidates }: Incident) {
  return { user, token, kind, sinceMs, seenMs, candidates };
}

/** Rounds milliseconds to microseconds, the resolution of the clocks. */
function roundToMicroseconds(_key: string, value: unknown): unknown {
  return typeof value === 'number' && Number.isFinite(value) ? Math.round(value * 1000) / 1000 : value;
}
