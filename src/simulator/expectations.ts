import { unknownName } from '../unknown-name.js';
import type { Findings } from './checker/findings.js';
import { ScenarioError } from './errors.js';

/** `<metric> <operator> <number>`, or `... <number> %` for a share of the metric's natural total. */
export interface Expectation {
  readonly text: string;
  readonly metric: string;
  readonly operator: Operator;
  readonly number: number;
  readonly percent: boolean;
}

export interface EvaluatedExpectation {
  readonly text: string;
  readonly met: boolean;
  /** What was measured: `21`, `21 of 60 users.total (35 %)`, `not recovered`. */
  readonly actual: string;
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
  users: ['total', 'loggedOut', 'identitySwapped', 'loggedOutHard', 'silentlyReset', 'flickered', 'logoutNotHonoured'],
  writes: [
    ...(['acknowledged', 'lost', 'unknown', 'unverified', 'duplicated', 'phantom', 'resurrected'] as const),
    ...(['stale', 'recovered', 'failedVisible'] as const),
  ],
  requests: ['planned', 'ok', 'failed', 'unknown', 'dropped'],
  guarantees: ['readYourWrites', 'monotonicReads', 'monotonicWrites', 'writesFollowReads'],
  latencyMs: percentiles,
  serviceMs: percentiles,
  noSession: ['absent', 'malformed', 'unknown', 'expired', 'forged', 'revoked'],
  stores: ['evictions'],
} as const satisfies { readonly [G in keyof Findings]?: readonly (keyof Findings[G])[] };

/** What 100 % is, for the groups where a share makes sense. */
const totals: Readonly<Record<string, string>> = {
  users: 'users.total',
  writes: 'writes.acknowledged',
  requests: 'requests.planned',
};

/** All that an expectation can be about: the names of the JSON report. */
export const metricNames: readonly string[] = [
  ...Object.entries(groups).flatMap(([group, names]) => names.map(name => `${group}.${name}`)),
  'recoveryMs',
];

const shape = /^\s*(?<metric>[\w.-]+)\s*(?<operator>[=!<>]+)\s*(?<number>\d+(?:\.\d+)?)\s*(?<percent>%)?\s*$/;
const example = 'expected <metric> <operator> <number>, for example "writes.lost == 0" or "requests.failed < 1 %"';

/** Throws `ScenarioError`: what was found, what was expected. */
export function parseExpectation(text: string): Expectation {
  const { metric, operator, number, percent } = shape.exec(text)?.groups ?? {};
  if (metric === undefined || operator === undefined) throw new ScenarioError(`found ${quoted(text)}, ${example}`);
  if (!metricNames.includes(metric)) throw new ScenarioError(unknownName('metric', metric, metricNames));
  if (!isOperator(operator)) throw new ScenarioError(unknownName('operator', operator, Object.keys(operators)));
  if (percent !== undefined && totalOf(metric) === undefined) {
    throw new ScenarioError(
      `found ${quoted(text)}, but a percentage of ${metric} has no meaning: only ${Object.keys(totals).join('.*, ')}.* have a total. Expected a plain number`,
    );
  }
  return { text, metric, operator, number: Number(number), percent: percent !== undefined };
}

/** Pure. A metric without a value (`recoveryMs` of a system that did not recover, a count that nobody kept) meets nothing
 * but `!=`. */
export function evaluate(expectation: Expectation, findings: Findings): EvaluatedExpectation {
  const { text, metric, operator, number, percent } = expectation;
  const value = measured(metric, findings);
  if (value === null) return { text, met: operator === '!=', actual: withoutValue(metric, findings) };
  if (!percent) return { text, met: operators[operator](value, number), actual: rounded(value) };
  const totalName = totalOf(metric) ?? metric;
  const total = measured(totalName, findings) ?? 0;
  if (total === 0) return { text, met: operator === '!=', actual: `${rounded(value)}, and ${totalName} is 0` };
  const share = (100 * value) / total;
  const actual = `${rounded(value)} of ${rounded(total)} ${totalName} (${rounded(share)} %)`;
  return { text, met: operators[operator](share, number), actual };
}

/** What nothing can explain but a defect of the system: no late driver, no fault that was not healed. */
const defects = [
  'users.identitySwapped',
  'users.logoutNotHonoured',
  'writes.phantom',
  'writes.duplicated',
  'writes.resurrected',
];

/** Pure. Whether the expectation sets an upper limit on a defect: more of it than allowed was seen, whatever else was not. */
export function limitsDefect({ metric, operator }: Expectation): boolean {
  return defects.includes(metric) && ['==', '<', '<='].includes(operator);
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(operators, text);
}

function totalOf(metric: string): string | undefined {
  return totals[metric.split('.')[0] ?? ''];
}

function measured(metric: string, findings: Findings): number | null {
  const [group, name = ''] = metric.split('.');
  const values = Object.entries(findings).find(([key]) => key === group)?.[1];
  const value = name === '' ? values : Object.entries(values ?? {}).find(([key]) => key === name)?.[1];
  return Number.isFinite(value) ? Number(value) : null;
}

function withoutValue(metric: string, findings: Findings): string {
  if (metric !== 'recoveryMs') return 'not counted';
  return findings.recovered
    ? 'no fault struck, or nothing worked before: there was nothing to recover'
    : 'not recovered';
}

/** For people: three decimals at most; the comparison itself is exact. */
function rounded(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
