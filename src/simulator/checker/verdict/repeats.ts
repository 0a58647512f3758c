import type { Findings } from '../findings.js';
import type { EvaluatedExpectation } from './expectations.js';
import type { JudgedRun, Verdict, VerdictWord } from './verdict.js';

/** Summarizes the runs of one scenario and mode, judges them together, and compares them with an earlier report. */

/** How often something happened, and an interval for its true share of runs. 95 % of such intervals hold the true
 * share. */
export interface Interval {
  readonly times: number;
  readonly of: number;
  /** Shares from 0 to 1. */
  readonly low: number;
  readonly high: number;
}

/** The result of one run, as a report keeps it. */
export interface RunResult {
  readonly word: VerdictWord;
  /** Whether the run logged a user out or lost a write. */
  readonly lostAnything: boolean;
  readonly expectations: readonly EvaluatedExpectation[];
}

/** The results of all runs of one mode. */
export interface ModeSummary {
  readonly mode: string;
  readonly runs: number;
  readonly verdicts: Readonly<Record<VerdictWord, number>>;
  /** Runs that lost something. An inconclusive run counts only if it lost something. */
  readonly lost: Interval;
  readonly expectations: readonly RepeatedExpectation[];
}

export interface RepeatSummary extends ModeSummary {
  /** The main figures. */
  readonly figures: readonly Spread[];
}

/** The result of an expectation over several runs: `judged` runs could judge it, and `held` of them met it. No
 * inconclusive run is counted. */
export interface RepeatedExpectation {
  readonly text: string;
  readonly level?: 'warn';
  readonly held: number;
  readonly judged: number;
  readonly low: number;
  readonly high: number;
}

/** The range of one figure over several runs. It leaves out runs without a value (nothing recovered, nothing answered).
 * Null: no run has a value. */
export interface Spread {
  readonly name: string;
  /** Number of runs that have a value. */
  readonly runs: number;
  readonly min: number | null;
  readonly median: number | null;
  readonly max: number | null;
}

/** The 97.5th percentile of the normal distribution. */
const z = 1.959964;

/** Returns the Wilson score interval at 95 %. Without any run it reaches from 0 to 1. Pure. */
export function wilsonInterval(times: number, of: number): Interval {
  if (of === 0) return { times, of, low: 0, high: 1 };
  const share = times / of;
  const middle = share + z ** 2 / (2 * of);
  const reach = z * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2));
  const whole = 1 + z ** 2 / of;
  return {
    times,
    of,
    low: times === 0 ? 0 : (middle - reach) / whole,
    high: times === of ? 1 : (middle + reach) / whole,
  };
}

/** Describes an interval: `below 16 % (95 %)`, `5.2 % to 36 % (95 %)` or `above 84 % (95 %)`. Pure. */
export function describeInterval({ times, of, low, high }: Interval): string {
  if (of === 0) return 'nothing was judged';
  if (times === 0) return `below ${percent(high)} (95 %)`;
  return times === of ? `above ${percent(low)} (95 %)` : `${percent(low)} to ${percent(high)} (95 %)`;
}

/** Describes how many runs lost something: `0 of 20 runs lost anything: below 16 % (95 %)`. Pure. */
export function describeLost({ lost, runs }: ModeSummary): string {
  const left = runs - lost.of;
  const without = left === 0 ? '' : `; ${left} inconclusive ${left === 1 ? 'run is' : 'runs are'} not counted`;
  const something = lost.times === 0 ? 'anything' : 'something';
  return `${lost.times} of ${lost.of} runs lost ${something}: ${describeInterval(lost)}${without}`;
}

/** Formats a share with two significant digits. Near 100 % it rounds the rest to 100 %: 99.6 % must not read 100 %. */
function percent(share: number): string {
  const value = 100 * share;
  if (value <= 99) return `${Number(value.toPrecision(2))} %`;
  return `${Number((100 - Number((100 - value).toPrecision(2))).toFixed(4))} %`;
}

/** Returns one summary for each mode that ran more than once, in the order in which the modes first appear. Pure. */
export function summarizeRepeats(runs: readonly JudgedRun[]): RepeatSummary[] {
  const modes = [...new Set(runs.map(({ run }) => run.header.mode))];
  return modes
    .map(mode => runs.filter(({ run }) => run.header.mode === mode))
    .filter(ofMode => ofMode.length > 1)
    .map(summarizeMode);
}

/** Summarizes all runs of one mode. Pure. */
export function summarizeMode(runs: readonly JudgedRun[]): RepeatSummary {
  const mode = runs[0]?.run.header.mode ?? '';
  return {
    ...summarizeResults(mode, runs.map(resultOf)),
    figures: figures.map(([name, measure]) => spreadOf(name, runs.map(measure))),
  };
}

/** Summarizes the results of all runs of one mode. Pure. */
export function summarizeResults(mode: string, results: readonly RunResult[]): ModeSummary {
  const conclusive = results.filter(({ word }) => word !== 'inconclusive');
  const lossy = results.filter(({ lostAnything }) => lostAnything);
  const counted = results.filter(({ word, lostAnything }) => word !== 'inconclusive' || lostAnything);
  return {
    mode,
    runs: results.length,
    verdicts: countVerdicts(results),
    lost: wilsonInterval(lossy.length, counted.length),
    expectations: expectationsIn(results).map(expectation => summarizeExpectation(expectation, conclusive)),
  };
}

/** Whether a run with these counts lost anything. The interval over many runs counts such runs. */
export function hasLosses(lost: number, loggedOut: number): boolean {
  return lost > 0 || loggedOut > 0;
}

function resultOf({ findings: { users, writes }, verdict: { word, expectations } }: JudgedRun): RunResult {
  return { word, lostAnything: hasLosses(writes.lost, users.loggedOut), expectations };
}

const figures: readonly (readonly [name: string, measure: (judged: { findings: Findings }) => number | null])[] = [
  ['users.loggedOut', ({ findings }) => findings.users.loggedOut],
  ['writes.lost', ({ findings }) => findings.writes.lost],
  ['requests.failed', ({ findings }) => findings.requests.failed],
  ['latencyMs.p99', ({ findings }) => findings.latencyMs.p99],
  ['recoveryMs', ({ findings }) => findings.recoveryMs],
];

function spreadOf(name: string, measured: readonly (number | null)[]): Spread {
  const values = measured.filter(value => value !== null).sort((a, b) => a - b);
  const at = (rank: number) => values[rank] ?? null;
  const [below, above] = [at(Math.floor((values.length - 1) / 2)), at(Math.floor(values.length / 2))];
  const median = below === null || above === null ? null : (below + above) / 2;
  return { name, runs: values.length, min: at(0), median, max: at(values.length - 1) };
}

function summarizeExpectation(wanted: EvaluatedExpectation, conclusive: readonly RunResult[]): RepeatedExpectation {
  const results = conclusive.flatMap(({ expectations }) => expectations.filter(one => isSame(one, wanted)));
  const judged = results.filter(({ notJudged }) => notJudged === undefined);
  const held = judged.filter(({ met }) => met);
  const { low, high } = wilsonInterval(held.length, judged.length);
  const { text, level } = wanted;
  return { text, ...(level && { level }), held: held.length, judged: judged.length, low, high };
}

/** Returns each expectation once, in the order of first appearance. */
function expectationsIn(results: readonly Pick<RunResult, 'expectations'>[]): EvaluatedExpectation[] {
  const all = results.flatMap(({ expectations }) => expectations);
  return all.filter((one, index) => all.findIndex(other => isSame(other, one)) === index);
}

/** Whether two expectations are the same. An expectation and a warning with the same text are not. Pure. */
export function isSame(a: Pick<EvaluatedExpectation, 'text' | 'level'>, b: typeof a): boolean {
  return a.text === b.text && a.level === b.level;
}

/**
 * Returns one verdict for several runs of one scenario and mode. Pure. One fail makes it a fail, since a counterexample
 * is a proof. Passes together with inconclusive runs are inconclusive: some runs proved nothing.
 */
export function judgeRepeats(verdicts: readonly Verdict[]): Verdict {
  const [first, ...more] = verdicts;
  if (first === undefined)
    return { word: 'inconclusive', reasons: ['No run took place: run it at least once.'], expectations: [] };
  if (more.length === 0) return first;
  const counts = countVerdicts(verdicts);
  const word = counts.fail > 0 ? 'fail' : counts.inconclusive > 0 ? 'inconclusive' : 'pass';
  const deciding = verdicts.filter(verdict => verdict.word === word);
  const reasons = [...new Set(deciding.flatMap(verdict => verdict.reasons))];
  return {
    word,
    reasons: deciding.length === verdicts.length ? reasons : [describeMixture(verdicts.length, counts), ...reasons],
    expectations: expectationsIn(verdicts).map(expectation => joinResults(expectation, verdicts)),
  };
}

function countVerdicts(results: readonly Pick<RunResult, 'word'>[]): Record<VerdictWord, number> {
  const countOf = (word: VerdictWord) => results.filter(result => result.word === word).length;
  return { pass: countOf('pass'), fail: countOf('fail'), inconclusive: countOf('inconclusive') };
}

function describeMixture(runs: number, { fail, inconclusive }: Record<VerdictWord, number>): string {
  if (fail > 0) return `${fail} of ${runs} runs failed, and one counterexample is enough.`;
  return `${inconclusive} of ${runs} runs were inconclusive, so the passes of the others do not stand for all.`;
}

/** Joins the results of one expectation over all runs. It leaves out runs that could not judge it, unless none
 * could. */
function joinResults(wanted: EvaluatedExpectation, verdicts: readonly Verdict[]): EvaluatedExpectation {
  const all = verdicts.flatMap(({ expectations }) => expectations.filter(one => isSame(one, wanted)));
  const judged = all.filter(({ notJudged }) => notJudged === undefined);
  const counted = judged.length === 0 ? all : judged;
  const [first = wanted] = counted;
  const actual = [...new Set(counted.map(one => one.actual))].join('; ');
  return { ...first, met: counted.every(({ met }) => met), actual };
}

/** One line of a comparison. */
export interface ResultChange {
  readonly mode: string;
  /** `worse`: an expectation was met before and is not met now, or more runs lost something. */
  readonly kind: 'worse' | 'better' | 'same' | 'missing';
  /** Whether it fails the command: an expectation was met before and is not met now. */
  readonly fails: boolean;
  readonly text: string;
}

/**
 * Lists what changed since an earlier report of the same scenario, mode by mode, in the order of `now`. Pure.
 * An expectation is met when every run that judged it met it. A share of lost runs is worse only when the two intervals
 * do not overlap. Modes and expectations that only one report holds are listed as missing.
 */
export function compareWithEarlier(earlier: readonly ModeSummary[], now: readonly ModeSummary[]): ResultChange[] {
  const gone = earlier.filter(({ mode }) => !now.some(each => each.mode === mode));
  return [
    ...now.flatMap(mode => {
      const before = earlier.find(each => each.mode === mode.mode);
      return before === undefined
        ? [describeMissing(mode.mode, 'the earlier report does not hold this mode')]
        : compareMode(before, mode);
    }),
    ...gone.map(({ mode }) => describeMissing(mode, 'this run does not hold this mode, the earlier report does')),
  ];
}

function compareMode(before: ModeSummary, now: ModeSummary): ResultChange[] {
  const { mode } = now;
  if (isInconclusive(now)) return [describeMissing(mode, 'every run is inconclusive, so nothing can be compared')];
  if (isInconclusive(before))
    return [describeMissing(mode, 'every run of the earlier report was inconclusive, so nothing can be compared')];
  return [
    ...now.expectations.flatMap(expectation => {
      const earlier = before.expectations.find(one => isSame(one, expectation));
      if (earlier !== undefined) return compareExpectation(mode, earlier, expectation);
      return [describeMissing(mode, `the earlier report does not hold ${expectation.text}`)];
    }),
    ...before.expectations
      .filter(expectation => !now.expectations.some(one => isSame(one, expectation)))
      .map(({ text }) => describeMissing(mode, `this run does not expect ${text}, the earlier one did`)),
    compareLost(before, now),
  ];
}

function isInconclusive({ runs, verdicts, lost }: ModeSummary): boolean {
  return verdicts.inconclusive === runs && lost.of === 0;
}

function compareExpectation(mode: string, before: RepeatedExpectation, now: RepeatedExpectation): ResultChange[] {
  const { text, level } = now;
  const name = level === 'warn' ? `${text} (a warning)` : text;
  if (before.judged === 0 || now.judged === 0) {
    const unable = now.judged === 0 ? 'this run' : 'the earlier report';
    return [describeMissing(mode, `${unable} could not judge ${name}`)];
  }
  const [wasMet, isMet] = [before, now].map(({ held, judged }) => held === judged);
  if (wasMet === isMet) return [];
  const [heldNow, heldBefore] = [now, before].map(({ held, judged }) => `${held} of ${judged}`);
  const said = `${name} held in ${heldNow} runs, before in ${heldBefore}`;
  if (isMet) return [{ mode, kind: 'better', fails: false, text: `${said}: better` }];
  return [{ mode, kind: 'worse', fails: level !== 'warn', text: `${said}: worse` }];
}

function compareLost(before: ModeSummary, now: ModeSummary): ResultChange {
  const { mode } = now;
  const [is, was] = [now.lost, before.lost];
  const said = `lost something in ${is.times} of ${is.of} runs, before in ${was.times} of ${was.of}`;
  if (is.low > was.high) return { mode, kind: 'worse', fails: false, text: `${said}: worse` };
  if (is.high < was.low) return { mode, kind: 'better', fails: false, text: `${said}: better` };
  const runs = Math.min(is.of, was.of);
  const few = `no difference that ${runs} ${runs === 1 ? 'run' : 'runs'} can show`;
  return { mode, kind: 'same', fails: false, text: `${said}: ${few} (${describeInterval(is)} now)` };
}

function describeMissing(mode: string, text: string): ResultChange {
  return { mode, kind: 'missing', fails: false, text };
}
