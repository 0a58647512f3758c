import { ScenarioError } from '../errors.js';
import type { FaultRecord, RunRecord } from '../history/records.js';
import { type EvaluatedExpectation, type Expectation, evaluate, parseLine, showsDefect } from './expectations.js';
import type { Findings } from './findings.js';
import { type Span, spanOf, strangeWindow } from './windows.js';
import { findingsWithin } from './within.js';

export type VerdictWord = 'pass' | 'fail' | 'inconclusive';

export interface Verdict {
  readonly word: VerdictWord;
  /** Why it is inconclusive, or which expectations were not met: whole sentences. */
  readonly reasons: readonly string[];
  readonly expectations: readonly EvaluatedExpectation[];
  /** A run on a machine that is less busy would say more: worth another try. */
  readonly machineWasBusy?: true;
}

/** A run with all that was computed from it: what reporters get. */
export interface JudgedRun {
  readonly run: RunRecord;
  readonly findings: Findings;
  readonly verdict: Verdict;
}

/** Above this the driver was late by itself, and what it measured is its own delay. */
export const driverLagP99MsMax = 20;
/** With no processor idle for longer than this, on end, the servers may have been slow for want of one. Measured with two
 * labs on two cores: after 1.2 s of it calls of a store missed their half second, never after less than 1 s. */
export const busyMsMax = 1_000;
/** Above this share of the acknowledged writes, too few were looked at again. */
export const unverifiedPercentMax = 1;

/**
 * Pure. Whatever makes the evidence doubtful comes first: a run that proves nothing is neither a pass nor a fail. But
 * a defect that was seen was seen: somebody else's cart is a fail in a run that is doubtful otherwise, too.
 * What is only a warning decides nothing.
 * Throws `ScenarioError` when an expectation of the run's header does not parse, or is of a window that there is not.
 */
export function judge(run: RunRecord, findings: Findings): Verdict {
  const all = run.header.expectations.map(line => compared(parseLine(line), run, findings));
  const expectations = all.map(({ result }) => result);
  const judged = all.filter(({ result }) => result.level !== 'warn');
  const unmet = judged.filter(({ result }) => !result.met);
  const defects = judged.filter(({ expectation }) => showsDefect(expectation, findings));
  const doubts = [
    ...neverStruck(run),
    ...run.faults.flatMap(faultDoubts),
    ...observationDoubts(run, findings),
    ...new Set(judged.flatMap(({ doubts }) => doubts)),
    ...labDoubts(run),
    ...(judged.length === 0 ? [nothingExpected(run)] : []),
  ];
  if (doubts.length > 0 && defects.length === 0) return { word: 'inconclusive', reasons: doubts, expectations };
  const failures = (doubts.length > 0 ? defects : unmet).map(({ result }) => unmetSentence(result));
  return { word: failures.length > 0 ? 'fail' : 'pass', reasons: [...failures, ...doubts], expectations };
}

/** Pure. A sentence for each warning that was not heeded. */
export function warningsOf({ expectations }: Verdict): string[] {
  return expectations.filter(({ level, met }) => level === 'warn' && !met).map(unmetSentence);
}

function unmetSentence({ text, actual }: EvaluatedExpectation): string {
  return `Expected ${text}; it was ${actual}.`;
}

interface Compared {
  readonly expectation: Expectation;
  readonly result: EvaluatedExpectation;
  /** Why it shows nothing, whether it is met or not. */
  readonly doubts: readonly string[];
}

function compared(expectation: Expectation, run: RunRecord, findings: Findings): Compared {
  const { during, text } = expectation;
  if (during === undefined) return { expectation, result: evaluate(expectation, findings), doubts: [] };
  const strange = strangeWindow(during, run.header.faults);
  if (strange !== undefined) throw new ScenarioError(strange);
  const span = spanOf(during, run);
  const within = span && findingsWithin(run, findings, span);
  // A fault that never struck is a doubt of its own.
  const doubts = span !== undefined && within === undefined ? [emptyWindow(text, span)] : [];
  return { expectation, result: evaluate(expectation, within), doubts };
}

function emptyWindow(text: string, { fromMs, untilMs }: Span): string {
  const end = Number.isFinite(untilMs) ? `${Math.round(untilMs)} ms` : 'the end';
  return `Nothing was planned from ${Math.round(fromMs)} ms to ${end}, so nothing shows whether ${text}: let users be there (users.arrivals, phases), or choose another window.`;
}

function neverStruck({ header, faults, lab }: RunRecord): string[] {
  const missing = header.faults.filter(planned => !faults.some(({ id }) => id === planned));
  return missing.map(id => {
    const why = lab.neverStruck?.[id];
    return why === undefined
      ? `The fault "${id}" was planned and never struck, so nothing was broken that the scenario wanted broken: run it again, to its end.`
      : `The fault "${id}" never struck, since ${why}: lengthen phases.faults, let more users come, or let it wait for less.`;
  });
}

function faultDoubts({ id, target, confirmedMs, healedMs, problem }: FaultRecord): string[] {
  const detail = problem === undefined ? '' : ` (${problem})`;
  if (confirmedMs === null) {
    return [
      `The fault "${id}" on ${target} was never confirmed${detail}, so nothing shows that anything broke: ${toSeeWhy(target)}, then run it again.`,
    ];
  }
  if (healedMs !== null) return [];
  return [
    `The fault "${id}" on ${target} was not healed before the end${detail}, so the read-back met a broken system: lengthen phases.faults, or shorten "for" of this fault.`,
  ];
}

function toSeeWhy(target: string): string {
  return target === 'system' ? 'try its commands by hand' : `look at what else strikes ${target}, and when`;
}

function observationDoubts(run: RunRecord, { writes }: Findings): string[] {
  if (!run.operations.some(({ kind, outcome }) => kind === 'login' && outcome === 'ok')) {
    return [
      'No user logged in, so there was no session to lose: check that the system answers its logins; for an app of your own `holdfast check` says why not.',
    ];
  }
  if (writes.acknowledged === 0) {
    return [
      'No write was acknowledged, so there was nothing to lose: give users more time (users.think, phases) before the faults.',
    ];
  }
  const percent = (100 * writes.unverified) / writes.acknowledged;
  if (percent <= unverifiedPercentMax) return [];
  return [
    `${writes.unverified} of ${writes.acknowledged} acknowledged writes (${percent.toFixed(1)} %) were never read again, more than the ${unverifiedPercentMax} % allowed: lengthen phases.recovery and phases.quiesce so that the read-back succeeds.`,
  ];
}

function labDoubts({ lab: { lagMs, busyMs = 0 } }: RunRecord): string[] {
  if (lagMs.p99 > driverLagP99MsMax) {
    return [
      `The driver itself was late (p99 ${lagMs.p99.toFixed(1)} ms, at most ${driverLagP99MsMax} ms allowed), so its latencies are its own: lower users.arrivals.rate or free the machine, then run it again.`,
    ];
  }
  if (busyMs <= busyMsMax) return [];
  return [
    `No processor was idle for ${(busyMs / 1000).toFixed(1)} s on end (at most ${busyMsMax / 1000} s allowed), so the servers may have been slow for want of one: lower users.arrivals.rate, let fewer labs run side by side (matrix --at-once) or free the machine, then run it again.`,
  ];
}

function nothingExpected({ header }: RunRecord): string {
  return `The scenario expects nothing in mode ${header.mode}: add lines under expect.any or expect.${header.mode}, for example "writes.lost == 0".`;
}
