import { unknownName } from '../../unknown-name.js';
import { ScenarioError } from '../errors.js';
import type { ExpectationLine } from '../history/records.js';
import type { Findings } from './findings.js';
import { parseWindow, type Window, windowPattern } from './windows.js';
import type { FindingsWithin } from './within.js';

/** `<metric> <operator> <number>`, or `... <number> %` for a share of the metric's natural total; `<metric> during
 * <window>` for a part of the run. */
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
  /** Absent: the verdict depends on it. */
  readonly level?: 'warn';
  readonly met: boolean;
  /** What was measured: `21`, `21 of 60 users.total (35 %)`, `not recovered`. */
  readonly actual: string;
  /** Why it was not judged: it is about time or errors, and the machine or the driver was late. `met` then means nothing. */
  readonly notJudged?: string;
}

const operators = {
  '==': (actual: number, wanted: number) => actual === wanted,
  '!=': (actual: number, wanted: number) => actual !== wanted,
  '<': (actual: number, wanted: number) => actual < wanted,
  '<=': (actual: number, wanted: number) => actual <= wanted,
  '>': (actual: number, wanted: number) => actual > wanted,
  '>=': (actual: number, wanted: number) => actual >= wanted,
};
type Operator = keyof typeof operators;

const percentiles = ['p50', 'p90', 'p99', 'max'] as const;

/** The numbers of `Findings`, group by group. */
const groups = {
  users: [
    ...(['total', 'loggedOut', 'identitySwapped', 'loggedOutHard', 'silentlyReset', 'flickered'] as const),
    ...(['logoutNotHonoured', 'sessionKept', 'exposed', 'unverified', 'loggedOutUnexposed'] as const),
  ],
  writes: [
    ...(['acknowledged', 'lost', 'unknown', 'unverified', 'duplicated', 'phantom', 'resurrected'] as const),
    ...(['stale', 'recovered', 'failedVisible', 'unexplained'] as const),
  ],
  requests: ['planned', 'ok', 'failed', 'unknown', 'dropped', 'bad'],
  guarantees: ['readYourWrites', 'monotonicReads', 'monotonicWrites', 'writesFollowReads'],
  latencyMs: percentiles,
  serviceMs: percentiles,
  noSession: ['absent', 'malformed', 'unknown', 'expired', 'forged', 'revoked'],
  stores: ['evictions'],
} as const satisfies { readonly [G in keyof Findings]?: readonly (keyof Findings[G])[] };

/** Those that can be counted of a part of a run. */
const groupsWithin = {
  users: ['total', 'loggedOut'],
  writes: ['acknowledged', 'unknown', 'lost'],
  requests: groups.requests,
  latencyMs: percentiles,
  serviceMs: percentiles,
} as const satisfies { readonly [G in keyof FindingsWithin]: readonly (keyof FindingsWithin[G])[] };

/** What 100 % is, for the groups where a share makes sense. */
const totals: Readonly<Record<string, string>> = {
  users: 'users.total',
  writes: 'writes.acknowledged',
  requests: 'requests.planned',
};

/** All that an expectation can be about: the names of the JSON report. */
export const metricNames: readonly string[] = [...namesIn(groups), 'recoveryMs'];

/** All that an expectation with a window can be about. */
export const windowMetricNames: readonly string[] = namesIn(groupsWithin);

const shape = new RegExp(
  String.raw`^\s*(?<metric>[\w.-]+)(?:\s+during\s+(?<window>${windowPattern}))?\s*(?<operator>[=!<>]+)\s*(?<number>\d+(?:\.\d+)?)\s*(?<percent>%)?\s*$`,
);
const example =
  'expected <metric> <operator> <number>, for example "writes.lost == 0", "requests.failed < 1 %" or "requests.failed during recovery < 1 %"';

/** Throws `ScenarioError` as `parseExpectation` does. */
export function parseLine(line: ExpectationLine): Expectation {
  return typeof line === 'string' ? parseExpectation(line) : { ...parseExpectation(line.warn), level: 'warn' };
}

/** Throws `ScenarioError`: what was found, what was expected. */
export function parseExpectation(text: string): Expectation {
  const { metric, window, operator, number, percent } = shape.exec(text)?.groups ?? {};
  if (metric === undefined || operator === undefined) throw new ScenarioError(`found ${quoted(text)}, ${example}`);
  if (!metricNames.includes(metric)) throw new ScenarioError(unknownName('metric', metric, metricNames));
  if (!isOperator(operator)) throw new ScenarioError(unknownName('operator', operator, Object.keys(operators)));
  if (percent !== undefined && totalOf(metric) === undefined) {
    throw new ScenarioError(
      `found ${quoted(text)}, but a percentage of ${metric} has no meaning: only ${Object.keys(totals).join('.*, ')}.* have a total. Expected a plain number`,
    );
  }
  const whole = { text, metric, operator, number: Number(number), percent: percent !== undefined };
  return window === undefined ? whole : { ...whole, during: windowOf(metric, window) };
}

function windowOf(metric: string, window: string): Window {
  if (windowMetricNames.includes(metric)) return parseWindow(window);
  throw new ScenarioError(
    `found ${metric} during ${window}, but ${metric} is a matter of the whole run: take "during ${window}" out. Within a window count ${windowMetricNames.join(', ')}`,
  );
}

/** Pure. A metric without a value (`recoveryMs` of a system that did not recover, a count that nobody kept) meets nothing
 * but `!=`. `findings` are those of its window; undefined when nothing was planned for it: that meets nothing. */
export function evaluate(
  expectation: Expectation,
  findings: Findings | FindingsWithin | undefined,
): EvaluatedExpectation {
  const { text, level } = expectation;
  return { text, ...(level && { level }), ...comparison(expectation, findings) };
}

function comparison(
  { metric, operator, number, percent }: Expectation,
  findings: Findings | FindingsWithin | undefined,
): Pick<EvaluatedExpectation, 'met' | 'actual'> {
  if (findings === undefined) return { met: false, actual: 'nothing planned in this window' };
  const value = measured(metric, findings);
  if (value === null) return { met: operator === '!=', actual: withoutValue(metric, findings) };
  if (!percent) return { met: operators[operator](value, number), actual: rounded(value) };
  const totalName = totalOf(metric) ?? metric;
  const total = measured(totalName, findings) ?? 0;
  if (total === 0) return { met: operator === '!=', actual: `${rounded(value)}, and ${totalName} is 0` };
  const share = (100 * value) / total;
  const actual = `${rounded(value)} of ${rounded(total)} ${totalName} (${rounded(share)} %)`;
  return { met: operators[operator](share, number), actual };
}

/** What nothing can explain but a defect of the system: no late driver, no fault that was not healed. */
const defects = [
  'users.identitySwapped',
  'users.logoutNotHonoured',
  'users.sessionKept',
  'writes.phantom',
  'writes.duplicated',
  'writes.resurrected',
];

/** Pure. Whether more of a defect was seen than the expectation allows, whatever else was not: it is an upper limit that
 * is not met, and something was counted. Nothing seen of nothing looked at is no defect. */
export function showsDefect(expectation: Expectation, findings: Findings): boolean {
  if (!defects.includes(expectation.metric) || !isUpperLimit(expectation)) return false;
  return !comparison(expectation, findings).met && (measured(expectation.metric, findings) ?? 0) > 0;
}

export function isUpperLimit({ operator }: Expectation): boolean {
  return ['==', '<', '<='].includes(operator);
}

/** The metrics that are a loss of a session or of what was in it. */
const losses = ['users.loggedOut', 'users.loggedOutHard', 'users.silentlyReset', 'users.flickered', 'writes.lost'];

export function isLossMetric(metric: string): boolean {
  return losses.includes(metric);
}

/** Pure. Whether a run that lost nothing cannot meet it: `users.loggedOut > 0`, `writes.lost >= 5 %`. */
export function demandsLoss({ metric, operator, number }: Expectation): boolean {
  if (!isLossMetric(metric)) return false;
  if (operator === '>') return true;
  return operator === '!=' ? number === 0 : ['>=', '=='].includes(operator) && number > 0;
}

function namesIn(of: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(of).flatMap(([group, names]) => names.map(name => `${group}.${name}`));
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(operators, text);
}

function totalOf(metric: string): string | undefined {
  return totals[metric.split('.')[0] ?? ''];
}

function measured(metric: string, findings: Findings | FindingsWithin): number | null {
  const [group, name = ''] = metric.split('.');
  const values = Object.entries(findings).find(([key]) => key === group)?.[1];
  const value = name === '' ? values : Object.entries(values ?? {}).find(([key]) => key === name)?.[1];
  return Number.isFinite(value) ? Number(value) : null;
}

function withoutValue(metric: string, findings: Findings | FindingsWithin): string {
  if (metric !== 'recoveryMs' || !('recovery' in findings)) return 'not counted';
  return findings.recovery;
}

/** For people: three decimals at most; the comparison itself is exact. */
function rounded(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
