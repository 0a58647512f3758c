import { durationPattern, parseDuration } from '../../../shared/units.js';
import { unknownName } from '../../../shared/unknown-name.js';
import { ScenarioError } from '../../errors.js';
import { type ExpectationLine, type PhaseName, phaseNames, type RunRecord } from '../../history/records.js';
import type { Findings } from '../findings.js';
import type { Span } from '../load.js';
import {
  type FindingsWithin,
  groupsWithTotal,
  hasTotal,
  isLossMetric,
  isMetric,
  isPlainCount,
  isProvenByOne,
  isWindowMetric,
  measuredValue,
  memberMetric,
  metricNames,
  totalOf,
  windowMetricNames,
} from './metrics.js';

/** A parsed expectation: `<metric> <operator> <number>`. A `%` after the number means a share of the metric's total.
 * `<metric> during <window>` counts only a part of the run. */
export interface Expectation {
  readonly text: string;
  readonly level?: 'warn';
  readonly metric: string;
  readonly during?: Window;
  readonly operator: Operator;
  readonly number: number;
  readonly percent: boolean;
}

export interface EvaluatedExpectation {
  readonly text: string;
  /** Absent when the verdict depends on it. */
  readonly level?: 'warn';
  readonly met: boolean;
  /** The measured value: `21`, `19 of 21 users.exposed (90.5 %)`, `not recovered`. */
  readonly actual: string;
  /** Why it was not judged: it is about time or errors, and the machine or the driver was late. `met` then has no
   * meaning. */
  readonly notJudged?: string;
}

/** The part of a run that an expectation is about, as written after `during`. */
export type Window =
  | { readonly phase: (typeof windowPhases)[number] }
  /** The id of a fault: from its request until it was healed. */
  | { readonly fault: string }
  /** A span of the run's time. */
  | Span;

/** The phases in which users follow their plan. Nothing is planned in the others, so nothing could be seen there. */
export const windowPhases = ['warmup', 'baseline', 'faults', 'recovery'] as const satisfies readonly PhaseName[];

/** The text of a regular expression for a window, without groups or anchors. Fault ids use the same characters. */
const windowPattern = '[a-z0-9][a-z0-9.-]*';

const betweenMoments = new RegExp(`^(?<from>${durationPattern})\\.\\.(?<until>${durationPattern})$`);

const operators = {
  '==': (actual: number, wanted: number) => actual === wanted,
  '!=': (actual: number, wanted: number) => actual !== wanted,
  '<': (actual: number, wanted: number) => actual < wanted,
  '<=': (actual: number, wanted: number) => actual <= wanted,
  '>': (actual: number, wanted: number) => actual > wanted,
  '>=': (actual: number, wanted: number) => actual >= wanted,
};
type Operator = keyof typeof operators;

const shape = new RegExp(
  String.raw`^\s*(?<metric>[\w.-]+)(?:\s+during\s+(?<window>${windowPattern}))?\s*(?<operator>[=!<>]+)\s*(?<number>\d+(?:\.\d+)?)\s*(?<percent>%)?\s*$`,
);
const example =
  'expected <metric> <operator> <number>, for example "writes.lost == 0", "requests.failed < 1 %" or "requests.failed during recovery < 1 %"';

/** Parses an expectation or a warning. Throws `ScenarioError` as `parseExpectation` does. */
export function parseLine(line: ExpectationLine): Expectation {
  return typeof line === 'string' ? parseExpectation(line) : { ...parseExpectation(line.warn), level: 'warn' };
}

/** Parses an expectation. Throws `ScenarioError`, which says what was found and what was expected. */
export function parseExpectation(text: string): Expectation {
  const { metric, window, operator, number, percent } = shape.exec(text)?.groups ?? {};
  if (metric === undefined || operator === undefined) throw new ScenarioError(`found ${quote(text)}, ${example}`);
  if (!isMetric(metric)) throw new ScenarioError(unknownName('metric', metric, [...metricNames, memberMetric]));
  if (!isOperator(operator)) throw new ScenarioError(unknownName('operator', operator, Object.keys(operators)));
  if (percent !== undefined && !hasTotal(metric)) {
    throw new ScenarioError(
      `found ${quote(text)}, but a percentage of ${metric} has no meaning: only ${groupsWithTotal.join('.*, ')}.* have a total. Expected a plain number`,
    );
  }
  const whole = { text, metric, operator, number: Number(number), percent: percent !== undefined };
  refuseCannotFail(whole);
  return window === undefined ? whole : { ...whole, during: parseMetricWindow(metric, window) };
}

function parseMetricWindow(metric: string, window: string): Window {
  if (isWindowMetric(metric)) return parseWindow(window);
  throw new ScenarioError(
    `found ${metric} during ${window}, but ${metric} is counted over the whole run: remove "during ${window}". Within a window count ${[...windowMetricNames, memberMetric].join(', ')}`,
  );
}

/** Throws for an expectation that cannot fail, such as `writes.lost >= 0`, `requests.failed <= 100 %` or
 * `writes.lost != 0.5`: it would show nothing. */
function refuseCannotFail({ text, metric, operator, number, percent }: Expectation): void {
  if (!isPlainCount(metric)) return;
  const isFromZero = operator === '>=' && number === 0;
  const isUpToAll = percent && ((operator === '<=' && number >= 100) || (operator === '<' && number > 100));
  const isNoCount = operator === '!=' && (percent ? number > 100 : !Number.isInteger(number));
  if (!isFromZero && !isUpToAll && !isNoCount) return;
  const better = isFromZero ? '> 0' : isUpToAll ? '< 10 %' : '== 0';
  throw new ScenarioError(
    `found ${quote(text)}, which every run meets. Expected a limit that a run can fail, such as "${metric} ${better}"`,
  );
}

/** Compares an expectation with the findings of its window. Pure. An expectation is not met when its metric has no
 * value. `findings` is undefined when nothing was planned in the window: then it is not met, either. */
export function evaluate(
  expectation: Expectation,
  findings: Findings | FindingsWithin | undefined,
): EvaluatedExpectation {
  const { text, level } = expectation;
  return { text, ...(level && { level }), ...compare(expectation, findings) };
}

function compare(
  { metric, operator, number, percent }: Expectation,
  findings: Findings | FindingsWithin | undefined,
): Pick<EvaluatedExpectation, 'met' | 'actual'> {
  if (findings === undefined) return { met: false, actual: 'nothing planned in this window' };
  const value = measuredValue(metric, findings);
  if (value === null) return { met: false, actual: describeNoValue(metric, findings) };
  const total = percent ? totalOf(metric, findings) : undefined;
  if (total === undefined) return { met: operators[operator](value, number), actual: formatNumber(value) };
  if (total.value === 0) return { met: false, actual: `${formatNumber(value)}, and ${total.name} is 0` };
  const share = (100 * value) / total.value;
  const actual = `${formatNumber(value)} of ${formatNumber(total.value)} ${total.name} (${formatNumber(share)} %)`;
  return { met: operators[operator](share, number), actual };
}

/** Whether the cases that were seen prove that the expectation is not met, whatever stayed unseen: an upper limit on
 * losses or defects is exceeded. Pure. */
export function isDisproved(expectation: Expectation, findings: Findings): boolean {
  if (!isProvenByOne(expectation.metric) || !isUpperLimit(expectation) || expectation.during !== undefined)
    return false;
  return !compare(expectation, findings).met && (measuredValue(expectation.metric, findings) ?? 0) > 0;
}

export function isUpperLimit({ operator }: Expectation): boolean {
  return ['==', '<', '<='].includes(operator);
}

/** Whether only a run with losses can meet it: `users.loggedOut > 0`, `writes.lost >= 5 %`. Pure. */
export function demandsLoss({ metric, operator, number }: Expectation): boolean {
  if (!isLossMetric(metric)) return false;
  if (operator === '>') return true;
  return operator === '!=' ? number === 0 : ['>=', '=='].includes(operator) && number > 0;
}

/** Whether a run with losses can meet it: `writes.lost > 0`, `writes.lost < 50 %`. Pure. */
export function allowsLoss(expectation: Expectation): boolean {
  const { metric, operator, number } = expectation;
  return isLossMetric(metric) && (demandsLoss(expectation) || (['<', '<='].includes(operator) && number > 0));
}

/** Says what is wrong with a window that names a fault which is not among `faultIds`. Undefined when nothing is
 * wrong. */
export function describeUnknownWindow(window: Window, faultIds: readonly string[]): string | undefined {
  if (!('fault' in window) || faultIds.includes(window.fault)) return undefined;
  return unknownName('window', window.fault, [...windowPhases, ...faultIds, '<from>..<until>']);
}

/** Returns the span of a window. Pure. Undefined when the run never reached it, as for a fault that never struck. A
 * fault that was never healed lasts to the end. */
export function spanOf(window: Window, { phases, faults }: RunRecord): Span | undefined {
  if ('fromMs' in window) return window;
  if ('phase' in window) {
    const record = phases.find(({ phase }) => phase === window.phase);
    return record && { fromMs: record.startMs, untilMs: record.endMs };
  }
  const record = faults.find(({ id }) => id === window.fault);
  return record && { fromMs: record.requestedMs, untilMs: record.healedMs ?? Number.POSITIVE_INFINITY };
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(operators, text);
}

function describeNoValue(metric: string, findings: Findings | FindingsWithin): string {
  if (metric === 'recoveryMs' && 'recovery' in findings)
    return findings.recovery === 'none' ? 'no fault was confirmed' : findings.recovery;
  return /^(?:latencyMs|serviceMs|revocationLagMs)\./.test(metric) ? 'no answer to measure' : 'not counted';
}

/** Formats a number for people, with three decimals at most. The comparison itself is exact. */
function formatNumber(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

/** Parses a window. Throws `ScenarioError` for a span that goes backwards or a phase without users. It does not know
 * the faults of the run: see `describeUnknownWindow`. */
function parseWindow(text: string): Window {
  const { from = '', until = '' } = betweenMoments.exec(text)?.groups ?? {};
  const [fromMs, untilMs] = [parseDuration(from), parseDuration(until)];
  if (fromMs !== undefined && untilMs !== undefined) {
    if (fromMs < untilMs) return { fromMs, untilMs };
    throw new ScenarioError(`found the window ${text}, expected its end after its beginning, such as 2s..5s`);
  }
  if (text.includes('..')) {
    throw new ScenarioError(`found the window ${text}, expected two moments of the run, such as 2s..5s`);
  }
  const phase = windowPhases.find(name => name === text);
  if (phase !== undefined) return { phase };
  if (!phaseNames.some(name => name === text)) return { fault: text };
  throw new ScenarioError(
    `found the window ${text}, for which nothing is planned, expected ${windowPhases.join(', ')}, the id of a fault, or moments such as 2s..5s`,
  );
}
