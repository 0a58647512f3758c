import type { ModeName } from '../modes.js';
import type { StoreUrls } from '../shared/stores.js';
import type { Cluster } from './cluster/cluster.js';
import type { InTurn } from './cluster/lab.js';
import { isInOwnNetwork } from './cluster/processes/own-network.js';
import { type ClusterSpec, listMemberNames, openSystem } from './cluster/start-cluster.js';
import { endsOf, resolveTargetName } from './cluster/targets.js';
import { Interrupted, LabError } from './errors.js';
import { faults } from './faults/kinds/registry.js';
import { type FaultsOver, runFaults } from './faults/schedule.js';
import type { ListedRun, RunHeader } from './history/records.js';
import type { Plan } from './plan/plan.js';
import { randomStream } from './plan/random.js';
import { Journal, type OnProgress } from './run/journal.js';
import { collectCounts, watchMembers } from './run/lab-health.js';
import { watchProcessors } from './run/processor-pressure.js';
import { RunClock } from './run/run-clock.js';
import { buildClusterSpec, describeSystem, drawNonce, driverSetup, startHeader } from './run/system-setup.js';
import {
  type Applied,
  describeMissingTarget,
  expectationsOf,
  type FaultSpec,
  findMissingTarget,
  type Scenario,
} from './scenario/scenario.js';
import { Driver } from './users/driver.js';

export interface SimulateOptions {
  readonly onProgress: OnProgress;
  /** On abort, `simulate` heals and stops everything, then rejects with `Interrupted`. */
  readonly signal: AbortSignal;
  /** Versions that the caller knows, for the header: `{ holdfast: '0.1.0' }`. `simulate` adds Node and the stores. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Store servers that the user runs. They are not members of the lab, so no fault may strike them. */
  readonly storeUrls?: StoreUrls;
  /** Set when other labs run beside this one (see `InTurn`). */
  readonly inTurn?: InTurn | undefined;
  /** Part of the name of every added item: four characters of base 36 (`tokenOf`). Random when absent. */
  readonly nonce?: string;
}

/**
 * Runs a scenario once in one mode, with real processes:
 *
 *   start cluster -> warmup -> baseline -> faults -> recovery -> quiesce -> readback -> stop cluster
 *                    |---- users follow their plan -------|
 *
 * It records what happens and does not judge it. Rejects with `LabError` when the lab itself fails, and with
 * `Interrupted` when the signal is aborted. In every case it stops everything that it started.
 */
export async function simulate(
  scenario: Scenario,
  mode: ModeName,
  planned: Plan,
  options: SimulateOptions,
): Promise<ListedRun> {
  assertApplies(mode, { ...planned, system: scenario.system });
  const plan = { ...planned, faults: planned.faults.map(fault => resolveTarget(mode, fault, scenario)) };
  const journal = new Journal(mode, options.onProgress);
  const spec = { ...clusterSpec(scenario, mode, plan), storeUrls: options.storeUrls ?? {}, inTurn: options.inTurn };
  journal.starting(listMemberNames(spec));
  const cluster = await openSystem(spec, options.signal, journal.member, randomStream(plan.seed, 'member-any'));
  try {
    const nonce = options.nonce ?? drawNonce();
    const versions = { ...options.versions, ...cluster.versions };
    const header = { ...buildHeader(scenario, mode, plan, versions), nonce, system: describeSystem(spec, cluster) };
    return await drive(scenario, plan, cluster, { journal, header, signal: options.signal });
  } finally {
    journal.end();
    await cluster.stop();
  }
}

/** Throws when a fault of the plan has nothing to strike in this mode: such a run would prove nothing. */
function assertApplies(mode: ModeName, applied: Applied): void {
  const missing = findMissingTarget(applied, mode, isInOwnNetwork() ? undefined : 'the lab has no network of its own');
  if (missing === undefined) return;
  throw new LabError(`${describeMissingTarget(missing)}: choose another mode or proxy for this scenario`);
}

function resolveTarget(mode: ModeName, fault: FaultSpec, { system }: Scenario): FaultSpec {
  const target = resolveTargetName(mode, fault.target, system);
  if (target !== undefined) return { ...fault, target };
  throw new LabError(`fault ${fault.id} strikes the store of mode ${mode}, which has no server of its own`);
}

interface Run {
  readonly journal: Journal;
  readonly header: RunHeader;
  readonly signal: AbortSignal;
}

async function drive(scenario: Scenario, plan: Plan, cluster: Cluster, run: Run): Promise<ListedRun> {
  const { journal, header, signal } = run;
  const clock = new RunClock();
  const driver = new Driver({
    ...driverSetup(scenario, cluster, header),
    plan,
    clock,
    onOperation: journal.operation,
  });
  // Closing the driver wakes everything that waits for a later time, including faults and phases. Each of them then
  // sees that the signal is aborted.
  const closeDriver = (): void => void driver.close();
  signal.addEventListener('abort', closeDriver);
  const stopWatchingMembers = watchMembers(cluster, (member, { state, role }) => journal.member(member, state, role));
  const processors = watchProcessors();
  try {
    const { records, neverStruck } = await runPhases(scenario, plan, { cluster, clock, driver, ...run });
    const lab = {
      ...driver.lab(),
      busyMs: processors.stop(),
      neverStruck,
      // After the run, so no request of the run waits for it.
      counts: await collectCounts(cluster),
    };
    return journal.record(header, records, lab);
  } finally {
    processors.stop();
    stopWatchingMembers();
    signal.removeEventListener('abort', closeDriver);
    await driver.close();
  }
}

interface Stage extends Run {
  readonly cluster: Cluster;
  readonly clock: RunClock;
  readonly driver: Driver;
}

async function runPhases({ phases }: Scenario, plan: Plan, stage: Stage): Promise<FaultsOver> {
  const { cluster, clock, driver, journal, signal } = stage;
  const { warmupMs, baselineMs, faultsMs, recoveryMs, quiesceMs } = phases;
  const phase = async (...args: Parameters<Journal['phase']>): Promise<void> => {
    if (!signal.aborted) await journal.phase(...args);
    if (signal.aborted) throw new Interrupted();
  };
  journal.begin(clock, warmupMs + baselineMs + faultsMs + recoveryMs + quiesceMs);
  const usersDone = driver.run();
  usersDone.catch(() => undefined); // the recovery phase awaits it and sees the error
  let faults: FaultsOver = { records: [], neverStruck: {} };

  await phase('warmup', warmupMs, () => clock.until(warmupMs));
  await phase('baseline', baselineMs, () => clock.until(warmupMs + baselineMs));
  const startMs = warmupMs + baselineMs;
  await phase('faults', faultsMs, async () => {
    const [endMs, { counts, fault: onTransition }] = [startMs + faultsMs, journal];
    faults = await runFaults(plan.faults, {
      cluster,
      clock,
      counts,
      seed: plan.seed,
      startMs,
      endMs,
      signal,
      onTransition,
    });
    // Faults may take longer than this phase. The recovery phase must begin with everything healed.
    await clock.until(endMs);
  });
  await phase('recovery', recoveryMs, () => Promise.all([clock.until(clock.now() + recoveryMs), usersDone]));
  await phase('quiesce', quiesceMs, () => clock.until(clock.now() + quiesceMs));
  await phase('readback', 0, () => driver.readBack());
  return faults;
}

function clusterSpec(scenario: Scenario, mode: ModeName, plan: Plan): ClusterSpec {
  const targets = plan.faults.map(({ target }) => target);
  const links = [...new Set(targets.filter(target => endsOf(target) !== undefined))];
  // The toy shop has its switches only when a fault uses them.
  const hasSwitches = plan.faults.some(({ do: action }) => faults[action]?.bySwitch);
  return buildClusterSpec(scenario, mode, { links, hasSwitches });
}

function buildHeader(scenario: Scenario, mode: ModeName, plan: Plan, versions: Record<string, string>): RunHeader {
  return {
    ...startHeader(scenario, mode, plan.seed, versions),
    planned: plan.users.reduce((sum, user) => sum + user.steps.length, 0),
    faults: plan.faults.map(({ id }) => id),
    expectations: expectationsOf(scenario, mode),
  };
}
