import type { Findings, MemberFindings, RecoveryState } from '../simulator/checker/findings.js';
import { loadAfterHealingMsMin } from '../simulator/checker/recovery.js';
import { allowsLoss, type EvaluatedExpectation, parseLine } from '../simulator/checker/verdict/expectations.js';
import { type JudgedRun, type Verdict, type VerdictWord, warningsOf } from '../simulator/checker/verdict/verdict.js';
import { type FaultRecord, outlinesOf } from '../simulator/history/records.js';
import { countNoun, seconds } from './numbers.js';

/** Returns the word for the verdict of a run. A session of the live lab has none. */
export function verdictName({ run, verdict }: JudgedRun): VerdictWord | 'observed' {
  return run.header.live ? 'observed' : verdict.word;
}

export type ExpectationState = 'met' | 'not met' | 'warning' | 'not judged';

/** Returns the state of an expectation. It reads `notJudged` first, because `met` has no meaning when that is set. */
export function stateOf({ met, level, notJudged }: EvaluatedExpectation): ExpectationState {
  if (notJudged !== undefined) return 'not judged';
  if (met) return 'met';
  return level === 'warn' ? 'warning' : 'not met';
}

/** Lists the expectations that prevented a pass. */
export function listUnmet({ expectations }: Verdict): readonly EvaluatedExpectation[] {
  return expectations.filter(expectation => stateOf(expectation) === 'not met');
}

/**
 * Lists a sentence for each warning: unmet expectations of level `warn`, members in trouble, logouts by an idle limit.
 */
export function listWarnings({ verdict, findings }: Pick<JudgedRun, 'verdict' | 'findings'>): string[] {
  const expectations = verdict.expectations.filter(expectation => stateOf(expectation) !== 'not judged');
  return [
    ...warningsOf({ ...verdict, expectations }),
    ...listMemberWarnings(findings.members),
    ...describeIdleLogouts(findings),
  ];
}

/**
 * Lists a line for each expectation that was not judged: `not judged: requests.failed < 2 % (the machine was busy)`.
 */
export function listNotJudged({ expectations }: Verdict): string[] {
  return expectations.flatMap(({ text, notJudged }) =>
    notJudged === undefined ? [] : `not judged: ${text} (${notJudged.replace(/\.$/, '')})`,
  );
}

/** Shorter pauses than this do not suggest an idle limit. */
const pauseMsMin = 1_000;

/**
 * Returns a sentence when users were logged out after pauses that no session survived, and no fault explains it. The
 * idle limit of the app is then the likely cause.
 */
export function describeIdleLogouts({ incidents, pauses }: Findings): string[] {
  const unexplained = incidents.filter(({ kind, candidates = [] }) => kind === 'logged-out' && candidates.length === 0);
  const afterPause = unexplained.flatMap(({ pauseMs = 0 }) => (pauseMs >= pauseMsMin ? [pauseMs] : []));
  const shortestMs = Math.min(...afterPause);
  if (afterPause.length === 0 || shortestMs <= pauses.longestSurvivedMs) return [];
  return [
    `${countNoun(afterPause.length, 'session')} ended after pauses of ${seconds(shortestMs)} and more, and no fault explains it. The longest pause that a session survived was ${seconds(pauses.longestSurvivedMs)}: check the idle limit of the app, or shorten users.think.`,
  ];
}

/**
 * Returns whether the scenario expects the losses of a run: the run is a pass, and an expectation about `group` demands
 * or allows a loss. Readers must not mistake such a loss for a defect, nor the pass for "nothing was lost".
 */
export function isExpectedLoss({ run, verdict }: JudgedRun, group: 'users' | 'writes'): boolean {
  if (verdict.word !== 'pass') return false;
  const expectations = run.header.expectations.map(parseLine).filter(({ level }) => level !== 'warn');
  return expectations.some(expectation => expectation.metric.startsWith(`${group}.`) && allowsLoss(expectation));
}

const troubles = {
  notBack: 'did not come back',
  ejectedAtEnd: 'still ejected at the end',
  idleAfterHealing: 'idle after the healing',
} as const satisfies { readonly [K in keyof MemberFindings]?: string };
type Trouble = keyof typeof troubles;
const troubleNames = Object.keys(troubles) as readonly Trouble[];

const sentences: Readonly<Record<Trouble, string>> = {
  notBack: 'did not come back when its fault was healed.',
  ejectedAtEnd: 'was still ejected when the run ended: the proxy sent it nothing.',
  idleAfterHealing: 'was healed and then answered no user, although users without a backend arrived.',
};

/** Lists a phrase for each kind of trouble, the worst first: `backend-2 did not come back`. */
export function listMemberTrouble(members: MemberFindings): string[] {
  return troubleNames.flatMap(name =>
    members[name].length === 0 ? [] : `${members[name].join(', ')} ${troubles[name]}`,
  );
}

/** Lists a sentence for each ejected or idle member. A member that did not come back is no warning: the run fails. */
function listMemberWarnings(members: MemberFindings): string[] {
  const warned = troubleNames.filter(name => name !== 'notBack');
  return warned.flatMap(name => members[name].map(member => `${member} ${sentences[name]}`));
}

/** Lists the troubles of one member, in the words of the phrases. */
export function troublesOf(members: MemberFindings, member: string): string[] {
  return troubleNames.filter(name => members[name].includes(member)).map(name => troubles[name]);
}

/** Returns every member that the findings name. */
export function memberNames(members: MemberFindings): readonly string[] {
  return [...new Set([...Object.keys(members.answered), ...troubleNames.flatMap(name => members[name])])];
}

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
