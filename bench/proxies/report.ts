import type { Round } from './measure.js';
import type { IdleRound } from './measure-idle.js';
import { figure, median, table } from './table.js';

export interface LoadResults {
  readonly kind: 'load';
  readonly peers: readonly { readonly name: string; readonly version: string; readonly rounds: readonly Round[] }[];
}

export interface IdleResults {
  readonly kind: 'idle';
  readonly peers: readonly { readonly name: string; readonly version: string; readonly rounds: readonly IdleRound[] }[];
}

export type Results = LoadResults | IdleResults;

/** The peers to which the others are compared. */
const [fast, bare] = ['haproxy', 'http-proxy'];

/** Each figure is the median of the rounds; errors are summed over all. */
export interface Medians extends Round {
  readonly name: string;
  readonly title: string;
}

export function mediansOf({ peers }: LoadResults): Medians[] {
  return peers.map(({ name, version, rounds }) => {
    const of = (key: 'cpuMicros' | 'requestsPerSecond' | 'p50Ms' | 'p99Ms' | 'residentMb' | 'busy') =>
      median(rounds.map(each => each[key]));
    return {
      name,
      title: titleOf(name, version),
      cpuMicros: of('cpuMicros'),
      requestsPerSecond: of('requestsPerSecond'),
      p50Ms: of('p50Ms'),
      p99Ms: of('p99Ms'),
      residentMb: of('residentMb'),
      busy: of('busy'),
      errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
      fault: rounds.find(({ fault }) => fault !== undefined)?.fault,
    };
  });
}

export function reportOf(results: Results): string {
  return results.kind === 'load' ? loadTable(mediansOf(results)) : idleTable(results);
}

function loadTable(rows: readonly Medians[]): string {
  const [first, second] = [fast, bare].map(name => rows.find(row => row.name === name));
  const head = ['proxy', 'µs CPU/request', `× ${fast}`, `× ${bare}`, 'requests/s', `× ${fast}`, `× ${bare}`];
  const more = ['p50 ms', 'p99 ms', 'resident MB', 'core busy', 'errors'];
  const cells = rows.map(row => [
    row.title,
    figure(row.cpuMicros),
    ...[first, second].map(base => figure(row.cpuMicros / (base?.cpuMicros ?? Number.NaN))),
    figure(row.requestsPerSecond),
    ...[first, second].map(base => figure(row.requestsPerSecond / (base?.requestsPerSecond ?? Number.NaN))),
    ...[row.p50Ms, row.p99Ms, row.residentMb].map(figure),
    `${Math.round(100 * row.busy)} %`,
    row.fault === undefined ? String(row.errors) : `${row.errors} (!)`,
  ]);
  const faults = rows.filter(({ fault }) => fault !== undefined).map(({ title, fault }) => `(!) ${title}: ${fault}`);
  return [table([...head, ...more], cells), ...faults].join('\n');
}

function idleTable({ peers }: IdleResults): string {
  const rows = peers.map(({ name, version, rounds }) => {
    const of = (key: keyof IdleRound) => median(rounds.map(each => each[key]));
    const errors = rounds.reduce((sum, each) => sum + each.errors, 0);
    return {
      name,
      title: titleOf(name, version),
      kb: of('kbPerConnection'),
      before: of('beforeMb'),
      after: of('afterMb'),
      errors,
    };
  });
  const bases = [fast, bare].map(name => rows.find(row => row.name === name)?.kb ?? Number.NaN);
  const head = ['proxy', 'KB/connection', `× ${fast}`, `× ${bare}`, 'MB before', 'MB after', 'errors'];
  const cells = rows.map(({ title, kb, before, after, errors }) => {
    return [title, figure(kb), ...bases.map(base => figure(kb / base)), figure(before), figure(after), String(errors)];
  });
  return table(head, cells);
}

function titleOf(name: string, version: string): string {
  return version === '' ? name : `${name} ${version}`;
}
