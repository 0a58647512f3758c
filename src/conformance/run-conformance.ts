import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pLimit from 'p-limit';
import { packageFile } from '../shared/package.js';
import { messageOf } from '../shared/text.js';
import type { ExternalProxy } from '../simulator/cluster/external/external-proxy.js';
import { Janitor } from '../simulator/cluster/processes/janitor.js';
import { startCluster } from '../simulator/cluster/start-cluster.js';
import { Interrupted, LabError, rejectOnAbort } from '../simulator/errors.js';
import { type Cell, judgePhase, NoMeans, notApplicable, unknown, WithoutEffect } from './cell.js';
import type { Method, Recording } from './exchange.js';
import { Experiment } from './experiment.js';
import { bothMethods, type FailureRow, type RowFinding } from './table.js';

/** Checks that find a dead backend after one to two seconds: later than the visits "at once", which take less. */
const health = { everyMs: 1_000, timeoutMs: 1_000, fall: 2, rise: 1 };
const backendsByDefault = 3;
const experimentWithinMs = 120_000;

/** One experiment to do: a row with a proxy and a method. */
interface PlannedExperiment {
  readonly proxy: ExternalProxy;
  readonly row: string;
  readonly method: Method;
}

interface ConformanceRun {
  readonly rows: Readonly<Record<string, FailureRow>>;
  readonly proxies: readonly ExternalProxy[];
  /** Number of experiments at the same time. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  readonly onFinding: (finding: RowFinding, done: number, total: number) => void;
}

/** Returns all experiments, proxy by proxy, in the order of the rows. */
function planExperiments({ rows, proxies }: Pick<ConformanceRun, 'rows' | 'proxies'>): PlannedExperiment[] {
  return proxies.flatMap(proxy =>
    Object.entries(rows).flatMap(([row, { methods = bothMethods }]) => methods.map(method => ({ proxy, row, method }))),
  );
}

/**
 * Does every row with every proxy, each in a system of its own, and returns the findings in the order of the plan.
 * Rejects with `LabError` when a proxy does not start at all, and with `Interrupted` when the signal is aborted. In both
 * cases it first stops everything that it had started.
 */
export async function runConformance(run: ConformanceRun): Promise<readonly RowFinding[]> {
  const planned = planExperiments(run);
  const failed = new AbortController();
  const signal = AbortSignal.any([run.signal, failed.signal]);
  const limit = pLimit(run.atOnce);
  const janitor = new Janitor();
  let done = 0;
  const all = planned.map(experiment =>
    limit(async () => {
      if (signal.aborted) throw new Interrupted();
      const finding = await findOut(experiment, run.rows[experiment.row], signal, janitor);
      done += 1;
      run.onFinding(finding, done, planned.length);
      return finding;
    }).catch((error: unknown) => {
      failed.abort();
      throw error;
    }),
  );
  const ends = await Promise.allSettled(all);
  await janitor.dismiss();
  const reasons = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []));
  if (run.signal.aborted) throw new Interrupted();
  if (reasons.length > 0) throw reasons.find(reason => !(reason instanceof Interrupted)) ?? reasons[0];
  return ends.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []));
}

async function findOut(
  planned: PlannedExperiment,
  row: FailureRow | undefined,
  signal: AbortSignal,
  janitor: Janitor,
): Promise<RowFinding> {
  if (row === undefined) throw new TypeError(`there is no row ${planned.row}`);
  const directory = path.join(tmpdir(), `holdfast-witness-${randomUUID()}`);
  await janitor.makeDirectory(directory, 0o700);
  try {
    return await findOutIn(path.join(directory, 'log'), planned, row, signal);
  } finally {
    await janitor.removeDirectory(directory);
  }
}

async function findOutIn(
  logBase: string,
  { proxy, row: name, method }: PlannedExperiment,
  row: FailureRow,
  signal: AbortSignal,
): Promise<RowFinding> {
  const { backends = backendsByDefault, spare = 0, proxies = 1, named } = row.needs ?? {};
  const env = { WITNESS_LOG: logBase, ...(named && { WITNESS_NAMED: 'yes' }) };
  const program = packageFile('dist/backends/witness.js');
  const cluster = await startCluster(
    {
      mode: 'sticky',
      backends: { count: backends, spare, env, program },
      stores: [],
      proxy: { external: proxy, health, count: proxies, drainMs: 60_000 },
    },
    signal,
    () => {},
  );
  try {
    const experiment = new Experiment(cluster, proxy, logBase, method);
    const problem = await rejectOnAbort(tryRun(row, experiment), signal);
    const recording = await experiment.observe();
    const cells = cellsOf(row, recording, problem);
    return { proxy: proxy.name, row: name, method, version: cluster.versions[proxy.name], cells, recording };
  } finally {
    await cluster.stop();
  }
}

/** Returns why the row could not be done to its end. Anything that goes wrong makes a cell unknown, never good. */
async function tryRun(row: FailureRow, experiment: Experiment): Promise<unknown> {
  const timer = new AbortController();
  const late = new Promise<never>((_, reject) => {
    const timeout = setTimeout(
      () => reject(new LabError(`the row was not over after ${experimentWithinMs / 1_000} s`)),
      experimentWithinMs,
    );
    timer.signal.addEventListener('abort', () => clearTimeout(timeout));
  });
  try {
    await Promise.race([row.run(experiment), late]);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    timer.abort();
  }
}

/** Computes the cells of one experiment. With a problem, only the phases that were over before it can be judged. */
export function cellsOf(row: FailureRow, recording: Recording, problem: unknown): Readonly<Record<string, Cell>> {
  const { exchanges } = recording;
  const judge = row.judge ?? judgePhase;
  const cellOf = (phase: string): Cell => {
    if (problem instanceof NoMeans) return notApplicable(problem.message);
    if (problem instanceof WithoutEffect) return unknown(problem.message);
    const own = exchanges.filter(exchange => exchange.phase === phase);
    const isOpen = own.some(({ answer, failure }) => answer === undefined && failure === undefined);
    const isOver = own.length > 0 && !isOpen && exchanges.at(-1)?.phase !== phase;
    return problem === undefined || isOver ? judge(recording, phase) : unknown(messageOf(problem));
  };
  return Object.fromEntries(Object.keys(row.phases).map(phase => [phase, cellOf(phase)]));
}
