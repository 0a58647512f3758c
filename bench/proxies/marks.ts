import { mediansOf, type Results } from './report.js';
import { figure, median } from './table.js';

interface Seen {
  readonly cpuMicros: number;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
}

interface Mark {
  readonly workload: string;
  readonly text: string;
  /** The peer that the ratio refers to. */
  readonly to: string;
  readonly of: keyof Seen;
  readonly atMost?: number;
  readonly atLeast?: number;
}

const candidate = 'holdfast wire';
const idleKbMax = 4;

/** The targets of our own engine, as ratios within one run. */
const marks: readonly Mark[] = [
  { workload: 'small', text: 'CPU per request', to: 'haproxy', of: 'cpuMicros', atMost: 1.25 },
  { workload: 'small', text: 'p99', to: 'haproxy', of: 'p99Ms', atMost: 1.5 },
  { workload: 'small', text: 'requests/s', to: 'http-proxy', of: 'requestsPerSecond', atLeast: 4 },
  { workload: 'post', text: 'CPU per request', to: 'haproxy', of: 'cpuMicros', atMost: 1.25 },
  { workload: 'tls', text: 'CPU per request', to: 'haproxy', of: 'cpuMicros', atMost: 1.4 },
  { workload: 'connect', text: 'CPU per request', to: 'haproxy', of: 'cpuMicros', atMost: 1.4 },
  { workload: 'big', text: 'CPU per request', to: 'haproxy', of: 'cpuMicros', atMost: 1.4 },
];

/** Returns one line per mark of this workload. */
export function marksOf(workload: string, results: Results): string[] {
  if (results.kind === 'idle') return idleMark(results);
  const rows = mediansOf(results);
  return marks.flatMap(mark => {
    const [ours, theirs] = [candidate, mark.to].map(name => rows.find(row => row.name === name));
    if (mark.workload !== workload || ours === undefined || theirs === undefined) return [];
    return [lineOf(mark, ours[mark.of] / theirs[mark.of])];
  });
}

function lineOf({ text, to, atMost, atLeast }: Mark, ratio: number): string {
  const met = ratio <= (atMost ?? ratio) && ratio >= (atLeast ?? ratio);
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${met ? 'met' : 'MISSED'}: ${candidate}, ${text}: ${figure(ratio)} × ${to} (${bound})`;
}

function idleMark({ peers }: Extract<Results, { kind: 'idle' }>): string[] {
  const ours = peers.find(({ name }) => name === candidate);
  if (ours === undefined) return [];
  const kb = median(ours.rounds.map(({ kbPerConnection }) => kbPerConnection));
  const met = kb <= idleKbMax ? 'met' : 'MISSED';
  return [`${met}: ${candidate}: ${figure(kb)} KB per idle connection (at most ${idleKbMax})`];
}
