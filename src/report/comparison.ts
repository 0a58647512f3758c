import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict/verdict.js';
import { isExpectedLoss, isUnobserved, summarizeRecovery } from './judged-run.js';
import { count, countNoun, duration } from './numbers.js';
import { describeHashMoves, describeMoved } from './sentence.js';

/** The tone of a cell. `loss` is no judgement: a scenario may expect losses in a mode. */
export type Tone = 'plain' | 'loss' | VerdictWord;

export interface ComparisonCell {
  readonly text: string;
  /** Shown after the text and a comma; in a narrow column on a separate line. */
  readonly note?: string;
  readonly tone: Tone;
}

/** The modes of one scenario side by side: one row per measure, one cell per run. */
export interface Comparison {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly label: string; readonly cells: readonly ComparisonCell[] }[];
}

interface Measure {
  readonly label: string;
  readonly cell: (judged: JudgedRun) => ComparisonCell;
  /** The row is left out when this is false for every run. */
  readonly isNeeded?: (judged: JudgedRun) => boolean;
}

const measures: readonly Measure[] = [
  { label: 'users logged out', cell: usersCell },
  { label: 'writes lost', cell: writesCell },
  { label: 'requests failed', cell: ({ findings }) => plain(requestsText(findings.requests)) },
  {
    label: 'latency p50 / p99',
    cell: ({ findings: { latencyMs } }) => plain(`${duration(latencyMs.p50)} / ${duration(latencyMs.p99)}`),
  },
  {
    label: 'effect of faults',
    cell: effectCell,
    isNeeded: judged => unseenEffects(judged) > 0,
  },
  {
    label: 'saw two versions',
    cell: versionsCell,
    isNeeded: ({ findings: { versions } }) => Object.keys(versions).length > 1,
  },
  {
    label: 'users moved',
    cell: movedCell,
    isNeeded: ({ findings: { hashMoves } }) => hashMoves !== null,
  },
  {
    label: 'revocation p50 / max',
    cell: ({ findings: { revocationLagMs } }) =>
      plain(`${duration(revocationLagMs.p50)} / ${duration(revocationLagMs.max)}`),
    isNeeded: ({ findings: { revocationLagMs } }) => revocationLagMs.max !== null,
  },
  { label: 'recovery', cell: judged => plain(summarizeRecovery(judged)) },
  {
    label: 'verdict',
    cell: ({ verdict }) => ({ text: verdict.word, tone: verdict.word }),
    isNeeded: ({ run }) => !run.header.live,
  },
];

export function compare(runs: readonly JudgedRun[]): Comparison {
  const shown = measures.filter(({ isNeeded }) => isNeeded === undefined || runs.some(isNeeded));
  return { columns: labelRuns(runs), rows: shown.map(({ label, cell }) => ({ label, cells: runs.map(cell) })) };
}

/** Returns the name of each run: its mode, with a number when the mode ran more than once. */
export function labelRuns(runs: readonly JudgedRun[]): readonly string[] {
  const seen = new Map<string, number>();
  return runs.map(({ run: { header } }) => {
    const times = (seen.get(header.mode) ?? 0) + 1;
    seen.set(header.mode, times);
    return times === 1 ? header.mode : `${header.mode} #${times}`;
  });
}

/** Returns for example `19 of 21 exposed (64 users)`. When no fault struck: `0 of 64`. */
function usersCell(judged: JudgedRun): ComparisonCell {
  const { total, exposed, loggedOut, loggedOutUnexposed } = judged.findings.users;
  if (total === 0) return plain('no users');
  if (exposed === null) return loss(`${count(loggedOut)} of ${count(total)}`, loggedOut, judged, 'users');
  const others = loggedOutUnexposed === 0 ? '' : ` + ${countNoun(loggedOutUnexposed, 'other')}`;
  const share = `${count(loggedOut - loggedOutUnexposed)} of ${count(exposed)} exposed`;
  return loss(`${share} (${countNoun(total, 'user')})${others}`, loggedOut, judged, 'users');
}

function writesCell(judged: JudgedRun): ComparisonCell {
  const { acknowledged, lost, missing, unexplained } = judged.findings.writes;
  if (acknowledged === 0) return plain('none acknowledged');
  const blamed = unexplained === 0 ? '' : ` (unexplained ${count(unexplained)})`;
  const unproven = missing > lost ? ` + ${count(missing - lost)} missing` : '';
  return loss(`${count(lost)} of ${count(acknowledged)}${blamed}${unproven}`, missing, judged, 'writes');
}

/** Returns for example `4 + 1 unknown`: failed requests, and requests that may or may not have been applied. */
function requestsText(requests: JudgedRun['findings']['requests']): string {
  if (isUnobserved(requests)) return 'none sent';
  const { failed, unknown } = requests;
  return unknown === 0 ? count(failed) : `${count(failed)} + ${count(unknown)} unknown`;
}

function loss(text: string, lost: number, judged: JudgedRun, group: 'users' | 'writes'): ComparisonCell {
  if (lost === 0) return plain(text);
  return { text, ...(isExpectedLoss(judged, group) && { note: 'as expected' }), tone: 'loss' };
}

function effectCell(judged: JudgedRun): ComparisonCell {
  const faults = judged.findings.faults.filter(({ effect }) => effect !== null).length;
  const unseen = unseenEffects(judged);
  if (unseen === 0) return plain(faults === 0 ? '–' : 'seen');
  const text = faults === 1 ? 'not seen' : `${unseen} of ${faults} not seen`;
  return { text, tone: 'inconclusive' };
}

/** Returns for example `48 of 52 users, 3 went back`. */
function versionsCell({ findings: { users } }: JudgedRun): ComparisonCell {
  const back = users.wentBack === 0 ? '' : `, ${count(users.wentBack)} went back`;
  return plain(`${count(users.sawBothVersions)} of ${countNoun(users.total, 'user')}${back}`);
}

/** Returns for example `24 of 50 users (48 %)` with the note of `describeHashMoves`. */
function movedCell({ findings: { users, hashMoves } }: JudgedRun): ComparisonCell {
  const text = describeMoved(users);
  return hashMoves === null ? plain(text) : { text, note: describeHashMoves(hashMoves), tone: 'plain' };
}

function unseenEffects({ findings: { faults } }: JudgedRun): number {
  return faults.filter(({ effect }) => effect?.seen === 0).length;
}

function plain(text: string): ComparisonCell {
  return { text, tone: 'plain' };
}
