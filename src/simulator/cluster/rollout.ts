import { LabError } from '../errors.js';
import type { Cluster, ClusterMember, Deployer, Release, RolloutPace } from './cluster.js';
import { proxyStateIs, startAgain, waitUntil } from './probe.js';

/** One backend, as a rollout sees it. */
export interface Slot {
  readonly name: string;
  /** `starting`: it gets no users yet. `leaving`: it is drained or ends. */
  readonly state: 'free' | 'starting' | 'ready' | 'leaving';
  /** Whether it runs the release that is rolled out. */
  readonly isNew: boolean;
}

export interface RolloutGoal extends RolloutPace {
  /** Number of backends that are to run. */
  readonly count: number;
  /** How many of them are to run the release. */
  readonly wanted: number;
}

/**
 * Returns the backends that a rollout starts and removes next. Both lists are empty when it is done, and while it has to
 * wait. At most `count + surge` backends run, and at least `count - unavailable` are ready. Pure.
 */
export function planSteps(
  slots: readonly Slot[],
  { count, wanted, surge, unavailable }: RolloutGoal,
): { readonly start: readonly string[]; readonly remove: readonly string[] } {
  const free = slots.filter(({ state }) => state === 'free');
  const ready = slots.filter(({ state }) => state === 'ready');
  const old = ready.filter(({ isNew }) => !isNew);
  const has = slots.filter(({ state, isNew }) => isNew && (state === 'starting' || state === 'ready')).length;
  const starts = Math.min(wanted - has, count + surge - (slots.length - free.length));
  const removals = Math.min(old.length - (count - wanted), ready.length - (count - unavailable));
  return { start: firstNames(free, starts), remove: firstNames(old, removals) };
}

function firstNames(slots: readonly Slot[], count: number): readonly string[] {
  return slots.slice(0, Math.max(0, count)).map(({ name }) => name);
}

/** Returns how many of the backends a share is: at least one. Pure. */
export function countShare(share: number, count: number): number {
  return Math.min(count, Math.max(1, Math.round(share * count)));
}

/** Functions by which the rollout of the lab changes and asks its processes. */
export interface Releasable {
  /** Sets what the next start of this backend runs. */
  prepare(backend: string, release: Release): void;
  /** Returns the version that this backend names in its answer. Undefined when it names none. */
  askVersion(backend: string): Promise<string | undefined>;
}

type LabCluster = Pick<Cluster, 'members' | 'member' | 'proxyAdmin'>;

const readyWithinMs = 10_000;
const exitWithinMs = 5_000;

/** Rolls releases out on the backends of the lab. The proxy drains a backend before it ends. */
export class LabDeployer implements Deployer {
  readonly #cluster: LabCluster;
  readonly #processes: Releasable;
  /** The release that each backend runs, or ran last. */
  readonly #releases = new Map<string, Release>();
  #current: Release;
  #before: Release | undefined;
  /** A rollback of many backends, one at a time, takes some seconds for each. */
  readonly #rollBackWithinMs: number;
  /** Number of backends that ran when the last release began. */
  #count = 0;

  constructor(cluster: LabCluster, processes: Releasable, first: Release, rollBackWithinMs = 60_000) {
    this.#rollBackWithinMs = rollBackWithinMs;
    this.#cluster = cluster;
    this.#processes = processes;
    this.#current = first;
    for (const { name } of this.#backends) this.#releases.set(name, first);
  }

  async rollOut(release: Release, share: number, pace: RolloutPace, signal: AbortSignal): Promise<void> {
    if (release !== this.#current) {
      this.#before = this.#current;
      this.#current = release;
      this.#count = this.#backends.filter(({ isRunning }) => isRunning).length;
    }
    await this.#reach(release, share, pace, signal);
  }

  async rollBack(pace: RolloutPace): Promise<void> {
    if (this.#before === undefined) return;
    this.#current = this.#before;
    await this.#reach(this.#current, 1, pace, AbortSignal.timeout(this.#rollBackWithinMs)).catch((error: Error) => {
      if (error.name !== 'TimeoutError') throw error;
      throw new LabError(`the rollback was not over after ${this.#rollBackWithinMs / 1_000} s`);
    });
    this.#before = undefined;
  }

  async versions(): Promise<ReadonlyMap<string, string>> {
    const asked = this.#backends
      .filter(({ isRunning }) => isRunning)
      .map(async ({ name }) => {
        const named = await this.#processes.askVersion(name);
        return [name, named ?? this.#releases.get(name)?.version ?? ''] as const;
      });
    return new Map(await Promise.all(asked));
  }

  get #backends(): readonly ClusterMember[] {
    return this.#cluster.members.filter(({ role }) => role === 'backend');
  }

  /** Takes steps until this share of the backends runs the release. After a failed step it begins no other, and waits
   * for those in progress. */
  async #reach(release: Release, share: number, pace: RolloutPace, signal: AbortSignal): Promise<void> {
    const goal = { ...pace, count: this.#count, wanted: countShare(share, this.#count) };
    const busy = new Map<string, 'starting' | 'leaving'>();
    const running = new Set<Promise<void>>();
    const slots = () =>
      this.#backends.map(backend => ({
        name: backend.name,
        state: busy.get(backend.name) ?? (backend.isRunning ? ('ready' as const) : ('free' as const)),
        isNew: this.#releases.get(backend.name) === release,
      }));
    const take = (name: string, state: 'starting' | 'leaving') => {
      busy.set(name, state);
      const step = (state === 'starting' ? this.#start(name, release) : this.#remove(name)).finally(() => {
        busy.delete(name);
        running.delete(step);
      });
      running.add(step);
    };
    try {
      while (!signal.aborted) {
        const { start, remove } = planSteps(slots(), goal);
        for (const name of start) take(name, 'starting');
        for (const name of remove) take(name, 'leaving');
        if (running.size === 0) break;
        await Promise.race(running);
      }
    } finally {
      await Promise.allSettled(running);
    }
    signal.throwIfAborted();
    const has = slots().filter(({ state, isNew }) => state === 'ready' && isNew).length;
    if (has < goal.wanted)
      throw new Error(
        `${has} of ${goal.wanted} backends run version ${release.version}, and surge ${goal.surge} with unavailable ${goal.unavailable} allows no further step: set system.backends.spare, or a higher "unavailable"`,
      );
    if (share < 1) return;
    // A backend that another fault starts later runs the same version as all others.
    for (const { name } of this.#backends.filter(({ isRunning }) => !isRunning)) this.#prepare(name, release);
  }

  #prepare(name: string, release: Release): void {
    this.#processes.prepare(name, release);
    this.#releases.set(name, release);
  }

  async #start(name: string, release: Release): Promise<void> {
    this.#prepare(name, release);
    await startAgain(this.#cluster.member(name));
    // The proxy still drains a backend that was removed before.
    await this.#cluster.proxyAdmin.ready(name);
    const isReady = () => proxyStateIs(this.#cluster, name, 'ready');
    if (!(await waitUntil(isReady, readyWithinMs)))
      throw new LabError(`the proxy did not report ${name} ready within ${readyWithinMs / 1000} s of its start`);
  }

  async #remove(name: string): Promise<void> {
    const member = this.#cluster.member(name);
    await removeBackend(this.#cluster, name);
    if (await member.waitEnd(exitWithinMs)) return;
    // It did not end when it was asked to. A deploy tool would kill it now, too.
    await member.kill();
    await member.waitEnd(exitWithinMs);
  }
}

/** Longer than any drain window of a scenario that lasts a few seconds. */
const drainWithinMs = 30_000;

export interface Removal {
  /** True when the proxy reported that no browser is bound to it and no request is in flight. */
  readonly drained: boolean;
  /** True when it was running and was asked to end. */
  readonly asked: boolean;
}

/** Removes a backend as a good deploy does: the proxy drains it, then it is asked to end. */
export async function removeBackend(
  cluster: Pick<Cluster, 'member' | 'proxyAdmin'>,
  backend: string,
): Promise<Removal> {
  const member = cluster.member(backend);
  await cluster.proxyAdmin.drain(backend);
  member.mark('draining');
  const drained = await waitUntil(async () => {
    const backends = await cluster.proxyAdmin.backends();
    return backends.some(({ name, drained }) => name === backend && drained);
  }, drainWithinMs);
  return { drained, asked: await member.stop() };
}

/** Says that the backend was drained and how it ended. Returns false when it was not asked to end. Rejects when it was
 * not drained or did not end properly. */
export async function describeRemoval(
  cluster: Cluster,
  backend: string,
  { drained, asked }: Removal,
): Promise<string | false> {
  if (!asked) return false;
  if (!drained) throw new Error(`the proxy still had users of ${backend} after ${drainWithinMs / 1000} s of draining`);
  const gone = await cluster.member(backend).confirm('stop');
  return gone && `drained, then ${gone}`;
}
