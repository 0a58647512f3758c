import { eachOutline, type OperationOutline, type RunRecord } from '../../history/records.js';
import type { Findings, Incident, Percentiles } from '../findings.js';
import { dropsOf, isOfPlan, LoadColumns, percentilesOf, type Span } from '../load.js';

/** The metrics of expectations: the numbers of `Findings`, under the names of the JSON report, in a whole run or in a
 * window of it (`findingsWithin`). */

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

/** The findings that can be counted in a part of a run. */
export interface FindingsWithin {
  readonly users: Pick<Findings['users'], 'total' | 'loggedOut'>;
  readonly writes: Pick<Findings['writes'], 'acknowledged' | 'unknown' | 'lost'>;
  readonly requests: Findings['requests'];
  readonly latencyMs: Percentiles;
  readonly serviceMs: Percentiles;
  readonly members: Pick<Findings['members'], 'answered'>;
}

/**
 * Returns the findings of one window, from the history and the findings of the whole run. Pure. Undefined when nothing
 * was planned in the window: it then shows nothing, good or bad.
 *
 *   requests, latencies, unknown writes    count in the window for which the operation was planned
 *   acknowledged and lost writes           count in the window of the acknowledgement, whenever the loss was seen
 *   answers of a member                    count in the window in which they ended
 *   users logged out                       count in the window in which the logout was seen
 *   all users                              count in each window in which an operation of theirs was planned or ended
 */
export function findingsWithin(run: RunRecord, findings: Findings, span: Span): FindingsWithin | undefined {
  const { incidents } = findings;
  const isWithin = (ms: number): boolean => ms >= span.fromMs && ms < span.untilMs;
  const drops = dropsOf(run.lab).filter(({ plannedMs }) => isWithin(plannedMs));
  const window = new WindowCounts(isWithin, findings, run.operations.length + drops.length);
  eachOutline(run.operations, operation => window.see(operation));
  const requests = window.requests(drops.length);
  if (requests.planned === 0) return undefined;
  for (const drop of drops) window.columns.addDrop(drop);
  const load = window.columns.load();
  return {
    users: { total: window.active.size, loggedOut: loggedOutWithin(incidents, isWithin) },
    writes: {
      acknowledged: window.acknowledged,
      unknown: window.unknownAdds,
      lost: incidents.filter(({ kind, sinceMs }) => kind === 'lost' && isWithin(sinceMs)).length,
    },
    requests,
    latencyMs: percentilesOf(load.latencyMs),
    serviceMs: percentilesOf(load.serviceMs),
    members: { answered: window.answered },
  };
}

/** Counts the operations one at a time: those of a long history do not fit on the heap together. */
class WindowCounts {
  readonly active = new Set<string>();
  readonly answered: Record<string, number>;
  readonly columns: LoadColumns;
  acknowledged = 0;
  unknownAdds = 0;
  readonly #isWithin: (ms: number) => boolean;
  readonly #outcomes = { ok: 0, fail: 0, unknown: 0 };
  #ofPlan = 0;
  #bad = 0;

  constructor(isWithin: (ms: number) => boolean, { members }: Findings, lengthMax: number) {
    this.#isWithin = isWithin;
    this.answered = Object.fromEntries(Object.keys(members.answered).map(name => [name, 0]));
    this.columns = new LoadColumns(lengthMax);
  }

  see(operation: OperationOutline): void {
    const isDue = this.#isWithin(operation.plannedMs);
    const isDone = this.#isWithin(operation.doneMs);
    if (isDue || isDone) this.active.add(operation.user);
    if (isDue) this.#seeDue(operation);
    if (isDone && operation.outcome === 'ok') this.#seeAnswered(operation);
  }

  requests(dropped: number): Findings['requests'] {
    const { ok, fail, unknown } = this.#outcomes;
    return { planned: this.#ofPlan + dropped, ok, failed: fail, unknown, dropped, bad: this.#bad + dropped };
  }

  #seeDue(operation: OperationOutline): void {
    const { kind, outcome } = operation;
    this.#outcomes[outcome] += 1;
    if (kind === 'add' && outcome === 'unknown') this.unknownAdds += 1;
    if (isOfPlan(operation)) {
      this.#ofPlan += 1;
      if (outcome !== 'ok') this.#bad += 1;
    }
    this.columns.add(operation);
  }

  #seeAnswered({ kind, backend, proxy }: OperationOutline): void {
    if (kind === 'add') this.acknowledged += 1;
    for (const member of [backend, proxy]) {
      if (member !== undefined) this.answered[member] = (this.answered[member] ?? 0) + 1;
    }
  }
}

function loggedOutWithin(incidents: readonly Incident[], isWithin: (ms: number) => boolean): number {
  const loggedOut = new Set<string>();
  for (const { kind, user, seenMs } of incidents) if (kind === 'logged-out' && isWithin(seenMs)) loggedOut.add(user);
  return loggedOut.size;
}
