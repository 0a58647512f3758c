import type { JudgedRun, VerdictWord } from '../simulator/checker/verdict.js';
import { recovery, sawNothing } from './sentence.js';
import { count, duration } from './words.js';

/** How a cell wants to be seen; `loss` is no judgement: a mode may be expected to lose. */
export type Tone = 'plain' | 'loss' | VerdictWord;

export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

/** The modes of one scenario side by side: one row per measure, one cell per run. */
export interface Comparison {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly label: string; readonly cells: readonly Cell[] }[];
}

const measures: Record<string, (judged: JudgedRun) => Cell> = {
  'users logged out': ({ findings: { users } }) => share(users.loggedOut, users.total, 'no users'),
  'writes lost': ({ findings: { writes } }) => share(writes.lost, writes.acknowledged, 'none acknowledged'),
  'requests failed / unknown': ({ findings: { requests } }) =>
    plain(sawNothing(requests) ? 'none sent' : `${count(requests.failed)} / ${count(requests.unknown)}`),
  'latency p50 / p99': ({ findings: { latencyMs } }) =>
    plain(`${duration(latencyMs.p50)} / ${duration(latencyMs.p99)}`),
  recovery: judged => plain(recovery(judged).replace(/^recovered /, '')),
  verdict: ({ verdict }) => ({ text: verdict.word, tone: verdict.word }),
};

export function compare(runs: readonly JudgedRun[]): Comparison {
  return {
    columns: labels(runs),
    rows: Object.entries(measures).map(([label, measure]) => ({ label, cells: runs.map(measure) })),
  };
}

/** The name of each run: its mode, numbered where a mode ran more than once. */
export function labels(runs: readonly JudgedRun[]): readonly string[] {
  const seen = new Map<string, number>();
  return runs.map(({ run: { header } }) => {
    const times = (seen.get(header.mode) ?? 0) + 1;
    seen.set(header.mode, times);
    return times === 1 ? header.mode : `${header.mode} #${times}`;
  });
}

function plain(text: string): Cell {
  return { text, tone: 'plain' };
}

function share(part: number, whole: number, none: string): Cell {
  if (whole === 0) return plain(none);
  return { text: `${count(part)} of ${count(whole)}`, tone: part === 0 ? 'plain' : 'loss' };
}
