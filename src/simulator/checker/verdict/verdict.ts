import { unknownName } from '../../../shared/unknown-name.js';
import { ScenarioError } from '../../errors.js';
import type { RunRecord } from '../../history/records.js';
import type { Findings } from '../findings.js';
import type { Span } from '../load.js';
import { type Doubts, describeMachineDoubt, describeUndecided, doubtsOf, liveHasNoVerdict } from './doubts.js';
import {
  describeUnknownWindow,
  type EvaluatedExpectation,
  type Expectation,
  evaluate,
  isDisproved,
  isUpperLimit,
  parseLine,
  spanOf,
} from './expectations.js';
import { dependsOnMachine, type FindingsWithin, findingsWithin, measuredValue, memberOf } from './metrics.js';

export type VerdictWord = 'pass' | 'fail' | 'inconclusive';

export interface Verdict {
  readonly word: VerdictWord;
  /** Why it is inconclusive, or which expectations were not met: whole sentences. */
  readonly reasons: readonly string[];
  readonly expectations: readonly EvaluatedExpectation[];
  /** Set when the machine was too busy to judge everything: another run on a less busy machine may say more. */
  readonly machineWasBusy?: true;
}

/** A run with everything that was computed from it, for reports. */
export interface JudgedRun {
  readonly run: RunRecord;
  readonly findings: Findings;
  readonly verdict: Verdict;
}

/**
 * Judges a run. Pure. A verdict needs evidence:
 *
 *     one loss or defect above its limit           -> fail: a counterexample is a proof, whatever stayed unseen
 *     a fault without confirmation or effect       -> inconclusive: nothing shows that the scenario took place
 *     an upper limit that was exceeded             -> fail, unless the machine explains it: then it is not judged
 *     too few users, writes or operations verified -> inconclusive
 *     anything else that is not met                -> fail
 *     all met, and at least one of them judged     -> pass
 *     a session of the live lab                    -> inconclusive: nothing is expected of it
 *
 * A warning never changes the verdict. Throws `ScenarioError` when an expectation of the header does not parse, or
 * names a window or a member that the run does not have.
 */
export function judge(run: RunRecord, findings: Findings): Verdict {
  if (run.header.live) return { word: 'inconclusive', reasons: [liveHasNoVerdict], expectations: [] };
  const machine = describeMachineDoubt(run.lab);
  const all = run.header.expectations.map(line => compareLine(parseLine(line), run, findings, machine));
  const deciding = all.filter(({ result }) => result.level !== 'warn' && result.notJudged === undefined);
  const doubts = doubtsOf(run, findings);
  const { failures, reasons } = weigh(deciding, findings, doubts);
  const nothingJudged = deciding.length === 0 ? [describeUndecided(run, machine)] : [];
  const isDoubtful = reasons.length + nothingJudged.length > 0;
  return {
    word: failures.length > 0 ? 'fail' : isDoubtful ? 'inconclusive' : 'pass',
    reasons: [...failures, ...reasons, ...nothingJudged],
    expectations: all.map(({ result }) => result),
    ...(all.some(({ result }) => result.notJudged !== undefined) && { machineWasBusy: true }),
  };
}

interface Weighed {
  /** Sentences that say what is certainly wrong. */
  readonly failures: readonly string[];
  /** Sentences that say why the run proves nothing more. */
  readonly reasons: readonly string[];
}

function weigh(deciding: readonly Compared[], findings: Findings, doubts: Doubts): Weighed {
  const own = new Set(deciding.flatMap(one => one.doubts));
  const reasons = [...doubts.ofFaults, ...doubts.ofVerification, ...own];
  const unmet = deciding.filter(({ result, doubts }) => !result.met && doubts.length === 0);
  const isCertain = ({ expectation, hasExcess }: Compared) => {
    if (isDisproved(expectation, findings)) return true;
    if (doubts.ofFaults.length > 0) return false;
    return reasons.length === 0 || hasExcess;
  };
  const notBack = findings.members.notBack.length > 0 ? doubts.notBack : [];
  return { failures: [...notBack, ...unmet.filter(isCertain).map(({ result }) => describeUnmet(result))], reasons };
}

/** Returns a sentence for each warning that is not met. Pure. */
export function warningsOf({ expectations }: Pick<Verdict, 'expectations'>): string[] {
  return expectations.filter(({ level, met }) => level === 'warn' && !met).map(describeUnmet);
}

function describeUnmet({ text, actual }: EvaluatedExpectation): string {
  return `Expected ${text}; it was ${actual}.`;
}

interface Compared {
  readonly expectation: Expectation;
  readonly result: EvaluatedExpectation;
  /** Why its result shows nothing, whether it is met or not. */
  readonly doubts: readonly string[];
  /** Whether it is an upper limit and its metric is above 0. */
  readonly hasExcess: boolean;
}

function compareLine(
  expectation: Expectation,
  run: RunRecord,
  findings: Findings,
  machine: string | undefined,
): Compared {
  const { metric, text, during } = expectation;
  refuseUnknownMember(metric, run);
  if (during === undefined) {
    const doubts = metric === 'recoveryMs' && findings.recovery === 'unknown' ? [describeUnknownRecovery(text)] : [];
    return markNotJudged({ expectation, ...evaluateWithin(expectation, findings), doubts }, machine);
  }
  const strange = describeUnknownWindow(during, run.header.faults);
  if (strange !== undefined) throw new ScenarioError(strange);
  const span = spanOf(during, run);
  const within = span && findingsWithin(run, findings, span);
  const doubts = within === undefined ? describeMissingWindow(expectation, span) : [];
  return markNotJudged({ expectation, ...evaluateWithin(expectation, within), doubts }, machine);
}

function evaluateWithin(expectation: Expectation, found: Findings | FindingsWithin | undefined) {
  const value = found === undefined ? null : measuredValue(expectation.metric, found);
  return { result: evaluate(expectation, found), hasExcess: isUpperLimit(expectation) && (value ?? 0) > 0 };
}

/** Marks an expectation about time or errors as not judged if the machine or the driver was late. */
function markNotJudged(one: Compared, machine: string | undefined): Compared {
  if (machine === undefined || !dependsOnMachine(one.expectation.metric)) return one;
  return { ...one, result: { ...one.result, notJudged: machine }, doubts: [] };
}

function refuseUnknownMember(metric: string, { header }: RunRecord): void {
  const member = memberOf(metric);
  const known = header.system?.members.map(({ name }) => name);
  if (member === undefined || known === undefined || known.includes(member)) return;
  throw new ScenarioError(unknownName('member', member, known));
}

function describeUnknownRecovery(text: string): string {
  return `Nothing shows whether ${text}: less than 2 s of load followed the healing, or too little worked before it. Lengthen phases.recovery or phases.baseline.`;
}

function describeMissingWindow({ text, during }: Expectation, span: Span | undefined): string[] {
  if (span !== undefined) return [describeEmptyWindow(text, span)];
  // A fault that never struck already is a doubt (`doubts.ts`).
  if (during === undefined || !('phase' in during)) return [];
  return [
    `The run never came to the phase ${during.phase}, so nothing shows whether ${text}: run it again, to its end.`,
  ];
}

function describeEmptyWindow(text: string, { fromMs, untilMs }: Span): string {
  const end = Number.isFinite(untilMs) ? `${Math.round(untilMs)} ms` : 'the end';
  return `Nothing was planned from ${Math.round(fromMs)} ms to ${end}, so nothing shows whether ${text}: let users be there (users.arrivals, phases), or choose another window.`;
}
