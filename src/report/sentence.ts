import { type JudgedRun, warningsOf } from '../simulator/checker/verdict.js';
import { refusals } from './no-session.js';
import { count, counted, seconds } from './words.js';

/** The verdict on one mode: who was logged out, what was lost, what failed, whether it came back. */
export function sentence(judged: JudgedRun): string {
  const { run, verdict } = judged;
  const warnings = warningsOf(verdict).length;
  const parts = [
    ...[usersPart(judged), writesPart(judged), requestsPart(judged), ...alarms(judged), recovery(judged)],
    ...(warnings === 0 ? [] : [counted(warnings, 'warning')]),
  ];
  return `${run.header.mode}: ${parts.join(', ')} — ${verdict.word}`;
}

function usersPart({ findings }: JudgedRun): string {
  const { users, stores } = findings;
  if (users.total === 0) return 'no user was seen';
  const loggedOut = `${count(users.loggedOut)} of ${counted(users.total, 'user')} logged out`;
  const refused = users.loggedOut === 0 ? '' : refusals(findings);
  const evicted = stores.evictions ?? 0;
  const why = [
    ...(refused === '' ? [] : [`why no session: ${refused}`]),
    ...(evicted === 0 ? [] : [counted(evicted, 'eviction')]),
  ];
  return why.length === 0 ? loggedOut : `${loggedOut} (${why.join('; ')})`;
}

function writesPart({ findings: { writes } }: JudgedRun): string {
  if (writes.acknowledged === 0) return 'no write was acknowledged';
  return `${count(writes.lost)} of ${counted(writes.acknowledged, 'acknowledged write')} lost`;
}

function requestsPart({ findings: { requests } }: JudgedRun): string {
  if (sawNothing(requests)) return 'no request was sent';
  const failed = `${counted(requests.failed, 'request')} failed`;
  return requests.unknown === 0 ? failed : `${failed}, ${count(requests.unknown)} with unknown outcome`;
}

/** What is wrong in every mode is said only when it happened. */
function alarms({ findings: { users, writes } }: JudgedRun): string[] {
  const found: [number, string][] = [
    [users.identitySwapped, `${counted(users.identitySwapped, 'user')} taken for somebody else`],
    [users.logoutNotHonoured, `${counted(users.logoutNotHonoured, 'logout')} not honoured`],
    [users.sessionKept, `${counted(users.sessionKept, 'user')} logged in under the cookie from before`],
    [writes.phantom, `${counted(writes.phantom, 'item')} of somebody else shown`],
    [writes.duplicated, `${counted(writes.duplicated, 'write')} duplicated`],
    [writes.resurrected, `${counted(writes.resurrected, 'removed item')} shown again`],
    [writes.failedVisible, `${counted(writes.failedVisible, 'failed write')} visible all the same`],
    [writes.stale, `${counted(writes.stale, 'write')} missing for a while`],
    [writes.unverified, `${counted(writes.unverified, 'write')} never read back`],
  ];
  return found.filter(([times]) => times > 0).map(([, words]) => words);
}

/** How the recovery went; "not recovered" and "nothing to recover from" are answers too, none of them an empty field. */
export function recovery({ run, findings }: JudgedRun): string {
  if (run.faults.length === 0) return 'no fault injected';
  if (run.faults.every(fault => fault.confirmedMs === null)) return 'no fault confirmed';
  if (findings.recovery === 'not recovered') return 'not recovered';
  if (findings.recoveryMs === null || sawNothing(findings.requests)) return 'recovery unknown';
  return findings.recoveryMs < 100 ? 'recovered within 0.1 s' : `recovered after ${seconds(findings.recoveryMs)}`;
}

export function sawNothing({ ok, failed, unknown }: JudgedRun['findings']['requests']): boolean {
  return ok + failed + unknown === 0;
}
