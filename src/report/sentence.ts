import pc from 'picocolors';
import type { Findings, HashMoves, NoSessionReason } from '../simulator/checker/findings.js';
import {
  describeInterval,
  describeLost,
  type RepeatedExpectation,
  type RepeatSummary,
  type Spread,
} from '../simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import type { RunHeader } from '../simulator/history/records.js';
import { fitTable, toPrintable } from './fitted-table.js';
import {
  describeRecovery,
  isExpectedLoss,
  isUnobserved,
  listMemberTrouble,
  listNotJudged,
  listWarnings,
  verdictName,
} from './judged-run.js';
import { count, countNoun, duration, percent } from './numbers.js';
import type { ReporterOptions } from './reporter.js';

/** Returns the scenario of a run, and the external proxy that it was run with: `kill-one with haproxy 2.6.12`. */
export function nameScenario(header: RunHeader): string {
  const proxy = nameProxy(header);
  return proxy === undefined ? header.scenario : `${header.scenario} with ${proxy}`;
}

/** Returns the external proxy of a run, with its version: `haproxy 2.6.12`. Undefined for the proxy of Holdfast. */
export function nameProxy({ system, versions }: RunHeader): string | undefined {
  return system?.proxy && [system.proxy, versions[system.proxy]].filter(Boolean).join(' ');
}

/** Describes one run with its verdict: users logged out, writes lost, requests failed, and the recovery. */
export function describeRun(judged: JudgedRun, label?: string): string {
  return `${describeOutcome(judged, label)} — ${verdictName(judged)}`;
}

/** Describes one run without its verdict. */
export function describeOutcome(judged: JudgedRun, label = judged.run.header.mode): string {
  const { verdict, findings } = judged;
  const warnings = listWarnings(judged).length;
  const notJudged = listNotJudged(verdict).length;
  const parts = [
    ...[usersPart(judged), writesPart(judged), requestsPart(judged), ...alarms(judged), ...deployParts(judged)],
    ...[...listMemberTrouble(findings.members), describeRecovery(judged)],
    ...(warnings === 0 ? [] : [countNoun(warnings, 'warning')]),
    ...(notJudged === 0 ? [] : [`${countNoun(notJudged, 'expectation')} not judged`]),
  ];
  return `${label}: ${parts.join(', ')}`;
}

function usersPart(judged: JudgedRun): string {
  const { users } = judged.findings;
  if (users.total === 0) return 'no user was seen';
  const expected = users.loggedOut > 0 && isExpectedLoss(judged, 'users') ? ', as expected' : '';
  const details = [...(users.exposed === null ? [] : [`${count(users.total)} in all`]), ...logoutDetails(judged)];
  const inBrackets = details.length === 0 ? '' : ` (${details.join('; ')})`;
  return `${loggedOutPart(users)} logged out${expected}${inBrackets}`;
}

function loggedOutPart({ total, exposed, loggedOut, loggedOutUnexposed }: JudgedRun['findings']['users']): string {
  if (exposed === null) return `${count(loggedOut)} of ${countNoun(total, 'user')}`;
  const others = loggedOutUnexposed === 0 ? '' : ` and ${countNoun(loggedOutUnexposed, 'other')}`;
  return `${count(loggedOut - loggedOutUnexposed)} of ${countNoun(exposed, 'exposed user')}${others}`;
}

function logoutDetails({ findings }: JudgedRun): string[] {
  const refused = findings.users.loggedOut === 0 ? '' : refusals(findings);
  const evicted = findings.stores.evictions ?? 0;
  return [
    ...(refused === '' ? [] : [`tokens refused: ${refused}`]),
    ...(evicted === 0 ? [] : [countNoun(evicted, 'eviction')]),
  ];
}

function writesPart(judged: JudgedRun): string {
  const { acknowledged, lost, missing, unexplained } = judged.findings.writes;
  if (acknowledged === 0) return 'no write was acknowledged';
  const expected = lost > 0 && isExpectedLoss(judged, 'writes') ? ', as expected' : '';
  const blamed = unexplained === 0 ? '' : ` (${count(unexplained)} unexplained)`;
  const unproven = missing > lost ? ` and ${count(missing - lost)} missing` : '';
  return `${count(lost)} of ${countNoun(acknowledged, 'acknowledged write')} lost${unproven}${expected}${blamed}`;
}

function requestsPart({ findings: { requests } }: JudgedRun): string {
  if (isUnobserved(requests)) return 'no request was sent';
  const failed = `${countNoun(requests.failed, 'request')} failed`;
  return requests.unknown === 0 ? failed : `${failed}, ${count(requests.unknown)} with unknown outcome`;
}

/** Lists problems that are wrong in every mode, if they occurred. */
function alarms({ run, findings: { users, writes } }: JudgedRun): string[] {
  // The users of a session of the live lab are never read again at its end.
  const unverified = run.header.live ? { users: 0, writes: 0 } : { users: users.unverified, writes: writes.unverified };
  const found: [number, string][] = [
    [users.identitySwapped, `${countNoun(users.identitySwapped, 'user')} identified as another user`],
    [users.logoutNotHonoured, `${countNoun(users.logoutNotHonoured, 'user')} still logged in after the logout`],
    [users.sessionKept, `${countNoun(users.sessionKept, 'user')} logged in without a new session id`],
    [writes.phantom, `${countNoun(writes.phantom, 'item')} of another user shown`],
    [writes.duplicated, `${countNoun(writes.duplicated, 'write')} duplicated`],
    [writes.resurrected, `${countNoun(writes.resurrected, 'removed item')} shown again`],
    [writes.failedVisible, `${countNoun(writes.failedVisible, 'failed write')} visible despite the failure`],
    [writes.stale, `${countNoun(writes.stale, 'write')} missing for a while`],
    [unverified.users, `${countNoun(unverified.users, 'user')} not verified by a later read`],
    [unverified.writes, `${countNoun(unverified.writes, 'write')} not verified by a later read`],
  ];
  return found.filter(([times]) => times > 0).map(([, words]) => words);
}

/** Says which versions answered, and how many users a hash moved. Empty when there was one version and no hash. */
function deployParts({ findings: { users, versions, hashMoves } }: JudgedRun): string[] {
  const answers = Object.entries(versions).map(([version, times]) => `${version} ${count(times)}`);
  const back = users.wentBack === 0 ? '' : ` and ${count(users.wentBack)} an old one again`;
  const skew = `${countNoun(users.sawBothVersions, 'user')} saw two versions${back} (answers: ${answers.join(', ')})`;
  return [
    ...(answers.length > 1 ? [skew] : []),
    ...(hashMoves === null ? [] : [`${describeMoved(users)} moved, ${describeHashMoves(hashMoves)}`]),
  ];
}

/** Returns for example `expected when only its own keys move: 1 of 2 backends is new = 50 %`. */
export function describeHashMoves({ added, all }: HashMoves): string {
  const whose = added === 1 ? 'its' : 'their';
  const share = `${added} of ${all} backends ${added === 1 ? 'is' : 'are'} new = ${percent(added / all)}`;
  return `expected when only ${whose} own keys move: ${share}`;
}

/** Returns for example `24 of 50 users (48 %)`. */
export function describeMoved({ present, moved }: Findings['users']): string {
  if (present === null || moved === null || present === 0) return 'no user';
  return `${count(moved)} of ${countNoun(present, 'user')} (${percent(moved / present)})`;
}

/** Explains why a request had no session. The keys are those of the counters of the backends. */
export const reasons = {
  absent: 'the request had no cookie: a first visit, or after a logout',
  malformed: 'the cookie does not have the form of a token',
  unknown: 'the store does not know the token: lost, evicted, or ended',
  expired: 'the token is past its own deadline',
  forged: 'the token was altered, or made with a key that is not in the ring',
  revoked: 'the session was ended on purpose',
} as const satisfies Record<NoSessionReason, string>;

export const reasonNames = Object.keys(reasons) as readonly NoSessionReason[];

/** Returns why tokens were refused, the most frequent reason first: `118 forged, 4 unknown`. Empty when none was. */
function refusals({ noSession }: Findings): string {
  return reasonNames
    .filter(reason => reason !== 'absent')
    .map(reason => ({ reason, times: noSession[reason] ?? 0 }))
    .filter(({ times }) => times > 0)
    .sort((a, b) => b.times - a.times)
    .map(({ reason, times }) => `${count(times)} ${reason}`)
    .join(', ');
}

/** Renders the repeats of each mode for a terminal: verdicts, losses, every expectation, the main figures. */
export function repeatsText(summaries: readonly RepeatSummary[], options: ReporterOptions): string {
  return summaries.map(summary => `${summaryText(summary, options)}\n`).join('\n');
}

function summaryText(summary: RepeatSummary, { colour, columns = Number.POSITIVE_INFINITY }: ReporterOptions): string {
  const colours = pc.createColors(colour);
  const head = (titles: readonly string[]) => titles.map(title => colours.bold(title));
  const { mode, expectations, figures } = summary;
  return [
    colours.bold(toPrintable(`${mode}, ${describeVerdicts(summary)}`)),
    describeLost(summary),
    fitTable(
      {
        head: head(['expected', 'held in', 'share of all such runs']),
        rows: expectations.map(expectationRow),
        aligns: ['left', 'right', 'right'],
      },
      columns,
    ),
    fitTable(
      {
        head: head(['figure', 'runs', 'smallest', 'median', 'largest']),
        rows: figures.map(figureRow),
        aligns: ['left', 'right', 'right', 'right', 'right'],
      },
      columns,
    ),
  ].join('\n');
}

/** Returns for example `20 runs: 19 pass, 1 fail`. */
function describeVerdicts({ runs, verdicts }: RepeatSummary): string {
  const said = Object.entries(verdicts).filter(([, times]) => times > 0);
  return `${runs} runs: ${said.map(([word, times]) => `${times} ${word}`).join(', ')}`;
}

function expectationRow({ text, level, held, judged, low, high }: RepeatedExpectation): string[] {
  const name = level === 'warn' ? `${text} (a warning)` : text;
  return [toPrintable(name), `${held} of ${judged}`, describeInterval({ times: held, of: judged, low, high })];
}

function figureRow({ name, runs, min, median, max }: Spread): string[] {
  const isTime = name.endsWith('Ms') || name.startsWith('latencyMs.');
  const shown = (value: number | null) => (isTime ? duration(value) : value === null ? '–' : count(value));
  return [name, String(runs), shown(min), shown(median), shown(max)];
}
