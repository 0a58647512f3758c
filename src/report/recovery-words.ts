import type { RecoveryState } from '../simulator/checker/findings.js';
import { loadAfterHealingMsMin } from '../simulator/checker/recovery.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import { type FaultRecord, outlinesOf } from '../simulator/history/records.js';
import { stateOf } from './judged-expectations.js';
import { seconds } from './words.js';

/** Returns the figure for a table: `0.3 s`, `not recovered`, `unknown`. */
export function summarizeRecovery(judged: JudgedRun): string {
  const missing = describeMissingFault(judged);
  if (missing !== undefined) return missing;
  return isUnobserved(judged.findings.requests) ? 'unknown' : recoveryFigure(judged.findings);
}

/** Returns the figure for one fault. */
export function recoveryFigure(of: { readonly recovery: RecoveryState; readonly recoveryMs: number | null }): string {
  const { recovery, recoveryMs } = of;
  if (recovery === 'none') return 'none';
  if (recovery === 'not recovered') return recovery;
  if (recovery === 'unknown' || recoveryMs === null) return 'unknown';
  return recoveryMs < 100 ? 'within 0.1 s' : seconds(recoveryMs);
}

/**
 * Describes the recovery for the sentence about a mode. "not recovered" says what is wrong. In a passed run it also
 * says why that did not count.
 */
export function describeRecovery(judged: JudgedRun): string {
  const { findings } = judged;
  const missing = describeMissingFault(judged);
  if (missing !== undefined) return missing;
  if (findings.recovery === 'not recovered') return describeNoRecovery(judged);
  if (isUnobserved(findings.requests)) return 'recovery unknown';
  const figure = recoveryFigure(findings);
  if (figure === 'unknown') return `recovery unknown: ${findings.recoveryProblem ?? describeUnknown(judged)}`;
  return figure.startsWith('within') ? `recovered ${figure}` : `recovered after ${figure}`;
}

function describeMissingFault({ run: { faults } }: JudgedRun): string | undefined {
  if (faults.length === 0) return 'no fault injected';
  return faults.every(({ confirmedMs }) => confirmedMs === null) ? 'no fault confirmed' : undefined;
}

function describeNoRecovery(judged: JudgedRun): string {
  const { recoveryProblem } = judged.findings;
  const problem = recoveryProblem === undefined ? 'not recovered' : `not recovered: ${recoveryProblem}`;
  return judged.verdict.word === 'pass' ? `${problem}; ${describeWhyPassed(judged)}` : problem;
}

function describeWhyPassed({ verdict }: JudgedRun): string {
  const asking = verdict.expectations.filter(({ text }) => /^\s*recoveryMs\b/.test(text));
  if (asking.some(expectation => stateOf(expectation) === 'not judged')) return 'it was not judged';
  if (asking.some(({ level }) => level !== 'warn')) return 'the scenario expects it';
  return asking.length > 0 ? 'only a warning asks for it' : 'no expectation asks for it';
}

function describeUnknown({ run }: JudgedRun): string {
  const confirmed = run.faults.filter(({ confirmedMs }) => confirmedMs !== null);
  const unhealed = confirmed.find(({ healedMs }) => healedMs === null);
  if (unhealed !== undefined) return `a fault was ${unhealedWords(unhealed)}`;
  const healedMs = Math.max(...confirmed.map(fault => fault.healedMs ?? 0));
  let loadEndMs = 0;
  for (const { plannedMs, final } of outlinesOf(run.operations)) if (!final) loadEndMs = Math.max(loadEndMs, plannedMs);
  if (loadEndMs - healedMs < loadAfterHealingMsMin) return 'less than 2 s of load after the healing';
  return 'too few requests succeeded before the faults';
}

/** Says in words that a fault was not healed. */
export function unhealedWords({ confirmedMs, healRequestedMs }: FaultRecord): string {
  return confirmedMs !== null && healRequestedMs === null ? 'active to the end' : 'not healed';
}

export function isUnobserved({ ok, failed, unknown }: JudgedRun['findings']['requests']): boolean {
  return ok + failed + unknown === 0;
}
