import type { Findings } from '../findings.js';
import type { FindingsWithin } from './within.js';

/** This file lists the metrics of expectations: the numbers of `Findings`, under the names of the JSON report. */

const percentiles = ['p50', 'p90', 'p99', 'max'] as const;

const groups = {
  users: [
    ...(['total', 'exposed', 'loggedOut', 'identitySwapped', 'loggedOutHard', 'silentlyReset', 'flickered'] as const),
    ...(['logoutNotHonoured', 'sessionKept', 'unverified', 'loggedOutUnexposed'] as const),
    ...(['sawBothVersions', 'wentBack', 'present', 'moved'] as const),
  ],
  writes: [
    ...(['acknowledged', 'lost', 'unknown', 'unverified', 'duplicated', 'phantom', 'resurrected'] as const),
    ...(['stale', 'recovered', 'failedVisible', 'unexplained', 'missing'] as const),
  ],
  requests: ['planned', 'ok', 'failed', 'unknown', 'dropped', 'bad'],
  guarantees: ['readYourWrites', 'monotonicReads', 'monotonicWrites', 'writesFollowReads'],
  latencyMs: percentiles,
  serviceMs: percentiles,
  revocationLagMs: percentiles,
  noSession: ['absent', 'malformed', 'unknown', 'expired', 'forged', 'revoked'],
  backends: ['atOnceMax', 'cutOff'],
  stores: ['evictions'],
  members: ['ejectedAtEnd', 'idleAfterHealing', 'notBack'],
} as const satisfies { readonly [G in keyof Findings]?: readonly (keyof Findings[G])[] };

/** The metrics that can be counted in a part of a run. */
const groupsWithin = {
  users: ['total', 'loggedOut'],
  writes: ['acknowledged', 'unknown', 'lost'],
  requests: groups.requests,
  latencyMs: percentiles,
  serviceMs: percentiles,
} as const satisfies { readonly [G in keyof FindingsWithin]?: readonly (keyof FindingsWithin[G])[] };

export const metricNames: readonly string[] = [...namesIn(groups), 'recoveryMs'];
export const windowMetricNames: readonly string[] = namesIn(groupsWithin);

/** The name that messages show. It stands for one metric of each backend and proxy. */
export const memberMetric = 'members.<name>.answered';
const memberPattern = /^members\.(?<member>[a-z][a-z0-9-]*)\.answered$/;

/** Returns the member that `members.<name>.answered` names. */
export function memberOf(metric: string): string | undefined {
  return memberPattern.exec(metric)?.groups?.member;
}

export function isMetric(name: string): boolean {
  return metricNames.includes(name) || memberOf(name) !== undefined;
}

export function isWindowMetric(name: string): boolean {
  return windowMetricNames.includes(name) || memberOf(name) !== undefined;
}

/** Whether every run counts it, from 0 on. Any other metric can lack a value. */
export function isPlainCount(metric: string): boolean {
  const canLackValue =
    /^(?:latencyMs|serviceMs|revocationLagMs|noSession|backends|stores)\.|^recoveryMs$|^users\.(?:exposed|present|moved|sawBothVersions|wentBack)$|^members\.ejectedAtEnd$/;
  return !canLackValue.test(metric);
}

/** Whether it is about time or errors. A late driver or a busy machine can cause those just as the system can. */
export function dependsOnMachine(metric: string): boolean {
  return /^(?:requests|latencyMs|serviceMs|revocationLagMs)\.|^recoveryMs$|^writes\.unknown$|^members\.(?:ejected|idle)/.test(
    metric,
  );
}

/** The metrics that count a loss of a session or of its data. */
const losses = [
  ...['users.loggedOut', 'users.loggedOutHard', 'users.silentlyReset', 'users.flickered', 'users.loggedOutUnexposed'],
  ...['writes.lost', 'writes.unexplained', 'writes.stale'],
];
/** The metrics that only a defect of the system can raise. */
const defects = [
  ...['users.identitySwapped', 'users.logoutNotHonoured', 'users.sessionKept'],
  ...['writes.phantom', 'writes.duplicated', 'writes.resurrected', 'writes.failedVisible', 'members.notBack'],
];

export function isLossMetric(metric: string): boolean {
  return losses.includes(metric);
}

/** Whether one seen case is a proof, whatever stayed unseen. */
export function isProvenByOne(metric: string): boolean {
  return losses.includes(metric) || defects.includes(metric) || metric.startsWith('guarantees.');
}

/** The share of these metrics is a share of the exposed users: only they can have been struck. */
const ofExposed = ['loggedOut', 'loggedOutHard', 'silentlyReset', 'flickered'];
const totals: Readonly<Record<string, string>> = {
  users: 'users.total',
  writes: 'writes.acknowledged',
  requests: 'requests.planned',
};
export const groupsWithTotal: readonly string[] = Object.keys(totals);

export function hasTotal(metric: string): boolean {
  return totals[metric.split('.')[0] ?? ''] !== undefined;
}

/** Returns the total that is 100 %. Undefined when a share has no meaning. */
export function totalOf(
  metric: string,
  findings: Findings | FindingsWithin,
): { readonly name: string; readonly value: number } | undefined {
  const [group = '', own = ''] = metric.split('.');
  const name = totals[group];
  if (name === undefined) return undefined;
  if (metric === 'users.moved') return { name: 'users.present', value: measuredValue('users.present', findings) ?? 0 };
  const exposed = group === 'users' && ofExposed.includes(own) ? measuredValue('users.exposed', findings) : null;
  return exposed === null
    ? { name, value: measuredValue(name, findings) ?? 0 }
    : { name: 'users.exposed', value: exposed };
}

/** Returns the value of a metric; for a list, its length. Null: it was not counted, or there was nothing to measure. */
export function measuredValue(metric: string, findings: Findings | FindingsWithin): number | null {
  const member = memberOf(metric);
  if (member !== undefined) return findings.members.answered[member] ?? null;
  if ('versions' in findings && isUnseen(metric, findings)) return null;
  const [group, name = ''] = metric.split('.');
  const counted = entryIn(findings, group ?? '');
  const value = name === '' ? counted : entryIn(counted, name);
  if (Array.isArray(value)) return value.length;
  return Number.isFinite(value) ? Number(value) : null;
}

/** Returns whether a count of 0 would say nothing: no user came before and after the faults, answers did not name two
 * versions, or no proxy tells what it ejects. */
function isUnseen(metric: string, { users, versions, members }: Findings): boolean {
  if (metric === 'users.moved') return users.present === 0;
  if (metric === 'members.ejectedAtEnd') return members.ejectionsUnseen === true;
  return ['users.sawBothVersions', 'users.wentBack'].includes(metric) && Object.keys(versions).length < 2;
}

function entryIn(counted: unknown, name: string): unknown {
  return typeof counted === 'object' && counted !== null && Object.hasOwn(counted, name)
    ? Reflect.get(counted, name)
    : undefined;
}

function namesIn(of: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(of).flatMap(([group, names]) => names.map(name => `${group}.${name}`));
}
