import type { FaultRecord, LabRecord, RunHeader, RunRecord } from '../../history/records.js';
import type { Evidence, FaultFinding, Findings } from '../findings.js';

/** Reasons why a run does not prove what it seems to prove. Each is a whole sentence that says what to do. */
export interface Doubts {
  /** Nothing shows that a fault happened, or that it mattered to users. */
  readonly ofFaults: readonly string[];
  /** Too few operations took place, or too little was read again. */
  readonly ofVerification: readonly string[];
  /** Members that did not come back. This is not a doubt but a failure of the system. */
  readonly notBack: readonly string[];
}

/** Above this the driver itself was late, and its measurements show its own delay. */
export const driverLagP99MsMax = 20;
/** If all processors were busy for longer than this without a break, the servers may have been slow for that reason.
 * Measured with two labs on two cores: after 1.2 s of full load, store calls missed their time-out of half a second.
 * After less than 1 s, none did. */
const busyMsMax = 1_000;
/** Maximum share of unverified writes, and of unverified users. Above it, too few were read again. */
const unverifiedPercentMax = 1;
/** Maximum share of missing operations, and of missing logins. Above it, too few operations took place, or too few
 * users logged in. */
const missingPercentMax = 25;
/** Below this share of acknowledged adds, there was too little to lose. A cookie of 4 KB holds one add in thirteen
 * (`cookie-overflow`). */
const acknowledgedPercentMin = 5;
/** Below this share of the writes at risk, too little was read again after the fault. */
const atRiskVerifiedPercentMin = 50;

export function doubtsOf(run: RunRecord, findings: Findings): Doubts {
  return {
    ofFaults: [...describeNeverStruck(run), ...run.faults.flatMap(fault => describeFaultDoubts(fault, findings))],
    ofVerification: [
      ...describeEndedProxies(run),
      ...describeMissingEvidence(run, findings),
      ...describeMissingOperations(run.header, findings),
    ],
    notBack: run.faults.flatMap(({ id, notBack = [] }) =>
      notBack.map(({ member, why }) => `${member} did not come back after the fault "${id}": ${why.trim()}`),
    ),
  };
}

/** Says why expectations about time or errors cannot be judged. Undefined when they can. */
export function describeMachineDoubt({ lagMs, busyMs = 0 }: LabRecord): string | undefined {
  if (lagMs.p99 > driverLagP99MsMax)
    return `the driver itself was late (p99 ${lagMs.p99.toFixed(1)} ms, at most ${driverLagP99MsMax} ms allowed)`;
  if (busyMs > busyMsMax)
    return `no processor was idle for ${(busyMs / 1000).toFixed(1)} s without a break (at most ${busyMsMax / 1000} s allowed)`;
  return undefined;
}

/** Says why a session of the live lab has no verdict. */
export const liveHasNoVerdict =
  'This is a session of the live lab, which expects nothing: run the scenario that it exports for a verdict.';

/** Says why a run without a judged expectation proves nothing. */
export function describeUndecided({ header }: RunRecord, machine: string | undefined): string {
  if (machine !== undefined && header.expectations.length > 0)
    return `Nothing could be judged, because ${machine}: lower users.arrivals.rate, or free the machine, then run it again.`;
  return `The scenario expects nothing in mode ${header.mode}: add lines under expect.any or expect.${header.mode}, for example "writes.lost == 0".`;
}

/** Names each proxy that ended by itself. A fault on a proxy or on the system can have ended it on purpose. */
function describeEndedProxies({ members, faults }: RunRecord): string[] {
  if (faults.some(({ target }) => target === 'system' || /^proxy(?!.*->)/.test(target))) return [];
  const latest = new Map(members.map(record => [record.member, record]));
  const ended = [...latest.values()].filter(({ member, state }) => member.startsWith('proxy') && state === 'dead');
  return ended.map(
    ({ member, atMs }) =>
      `${member} ended by itself after ${(atMs / 1000).toFixed(1)} s, and no fault had struck it: start it by hand to see why.`,
  );
}

function describeNeverStruck({ header, faults, lab }: RunRecord): string[] {
  const missing = header.faults.filter(planned => !faults.some(({ id }) => id === planned));
  return missing.map(id => {
    const why = lab.neverStruck?.[id];
    return why === undefined
      ? `The fault "${id}" was planned and never struck: run it again, to its end.`
      : `The fault "${id}" never struck, since ${why}: lengthen phases.faults, let more users come, or let it wait for less.`;
  });
}

function describeFaultDoubts(fault: FaultRecord, findings: Findings): string[] {
  const { id, target, confirmedMs, healedMs, problem, notBack = [] } = fault;
  const detail = problem === undefined ? '' : ` (${problem})`;
  if (confirmedMs === null) {
    return [
      `The fault "${id}" on ${target} was never confirmed${detail}, so nothing shows that anything broke: ${adviseConfirming(fault)}, then run it again.`,
    ];
  }
  const effect = describeEffectDoubts(
    fault,
    findings.faults.find(one => one.id === id),
  );
  if (healedMs !== null || notBack.length > 0) return effect;
  const unhealed = `The fault "${id}" on ${target} was not healed before the end${detail}, so the read-back met a broken system: ${adviseHealing(target)}.`;
  return [...effect, unhealed];
}

function describeEffectDoubts({ id, target, expects }: FaultRecord, finding: FaultFinding | undefined): string[] {
  if (expects === undefined || finding?.effect === undefined || finding.effect === null) {
    return [
      `The history does not say what users had to notice of the fault "${id}": version 0.1 recorded it. Run the scenario again.`,
    ];
  }
  const { seen, text } = finding.effect;
  if (seen > 0) return [];
  return [`The fault "${id}" on ${target} had no effect that users could notice: ${text}. ${adviseEffect(target)}`];
}

/** Says how to give a fault an effect. For `exec`, only `confirm` shows the effect, so more users would not help. */
function adviseEffect(target: string): string {
  return target === 'system'
    ? 'Take a confirm that fails until inject has done its work.'
    : 'Let more users come, lengthen the fault, or strike something that they use.';
}

function adviseHealing(target: string): string {
  return target === 'system' ? 'try its heal by hand' : 'lengthen phases.faults, or shorten "for" of this fault';
}

function adviseConfirming({ target, problem = '' }: FaultRecord): string {
  if (target === 'system') return 'try its commands by hand';
  // Something failed, and the problem says what.
  if (problem.includes('could not be done')) return 'mend what failed';
  return `look at what else strikes ${target}, and when`;
}

function describeMissingEvidence(run: RunRecord, { users, writes, evidence }: Findings): string[] {
  if (evidence.loggedIn === 0) {
    return [
      'No user logged in, so there was no session to lose: check that the system answers its logins; for an app of your own `holdfast check` says why not.',
    ];
  }
  if (writes.acknowledged === 0) {
    return [
      'No write was acknowledged, so there was nothing to lose: give users more time (users.think, phases) before the faults.',
    ];
  }
  return [
    ...describeFewLogins(users.total, evidence),
    ...describeFewAdds(writes.acknowledged, evidence),
    ...describeFewAtRisk(run, evidence),
    ...describeUnverified(users.unverified, evidence.loggedIn, 'users', 'had a good read after the last healing'),
    ...describeUnverified(
      writes.unverified,
      writes.acknowledged,
      'acknowledged writes',
      'were read again after the last healing',
    ),
  ];
}

function describeFewLogins(total: number, { loggedIn }: Evidence): string[] {
  if (total - loggedIn <= (missingPercentMax / 100) * total) return [];
  return [
    `Only ${loggedIn} of ${total} users could log in, so too few had a session to lose: find out why logins fail, or let users come when nothing is broken.`,
  ];
}

function describeFewAdds(acknowledged: number, { adds }: Evidence): string[] {
  if (acknowledged >= (acknowledgedPercentMin / 100) * adds) return [];
  return [
    `Only ${acknowledged} of ${adds} adds were acknowledged, so there was little to lose: find out why adds fail, or let users write when nothing is broken.`,
  ];
}

function describeFewAtRisk({ faults }: RunRecord, { atRisk, atRiskVerified }: Evidence): string[] {
  if (faults.length === 0) return [];
  if (atRisk === 0) {
    return [
      'No write was acknowledged before the last healing by a user who stayed beyond it, so the fault could take nothing: lengthen phases.baseline, or let users stay longer.',
    ];
  }
  if (atRiskVerified >= (atRiskVerifiedPercentMin / 100) * atRisk) return [];
  return [
    `Only ${atRiskVerified} of ${atRisk} writes from before the last healing were read after it: lengthen phases.recovery, so that users read their carts before they log out.`,
  ];
}

function describeUnverified(count: number, total: number, what: string, did: string): string[] {
  const percent = (100 * count) / Math.max(1, total);
  if (percent <= unverifiedPercentMax) return [];
  return [
    `${count} of ${total} ${what} (${percent.toFixed(1)} %) never ${did}, more than the ${unverifiedPercentMax} % allowed: lengthen phases.recovery and phases.quiesce so that the read-back succeeds.`,
  ];
}

/** Doubts a run that did far less than it planned: it shows little, even if everything went well. */
function describeMissingOperations({ planned }: RunHeader, { sentOfPlan }: Findings): string[] {
  const missing = planned - sentOfPlan;
  if (missing <= (missingPercentMax / 100) * planned) return [];
  return [
    `Only ${sentOfPlan} of ${planned} planned operations took place: lower users.arrivals.rate, raise users.think.median, or find out why users had to wait.`,
  ];
}
