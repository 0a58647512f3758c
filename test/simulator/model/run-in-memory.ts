import { type ModeName, modes, storesOf } from '#src/modes.js';
import { backendNaming } from '#src/simulator/cluster/cluster.js';
import { kindOf, resolveTargetName } from '#src/simulator/cluster/targets.js';
import { LiveCounts } from '#src/simulator/faults/trigger.js';
import type { ListedRun, Operation, PhaseRecord, RunHeader } from '#src/simulator/history/records.js';
import type { Plan } from '#src/simulator/plan/plan.js';
import { tokenOf } from '#src/simulator/plan/planned-user.js';
import { expectationsOf, type Scenario } from '#src/simulator/scenario/scenario.js';
import { chooseClient } from '#src/simulator/users/driver.js';
import type { HttpClient } from '#src/simulator/users/http-client.js';
import { type AppReply, type JourneyRequest, shopJourney } from '#src/simulator/users/journey.js';
import { mappedJourney } from '#src/simulator/users/mapped-journey.js';
import { User } from '#src/simulator/users/user.js';
import { runFaultsInMemory } from './schedule.js';
import { ModelSystem } from './system.js';
import { VirtualTime } from './virtual-time.js';

/** How the system lies about itself. */
export interface Lies {
  /** Answers requests falsely from the first fault on, or from the end of the baseline if there is no fault. */
  readonly answer?: (request: JourneyRequest) => AppReply | undefined;
  /** Whether faults are recorded as confirmed and healed, but change nothing. */
  readonly feigned?: boolean;
}

type Client = Pick<HttpClient, 'send'>;

const readBackAtOnce = 64;
const nonce = 'test';
const items = new Map<string, string>();

/**
 * Runs a scenario in one mode, in memory. The users, their plan and the rules for outcomes are the real ones; the
 * system is a model. The same arguments give the same history.
 */
export async function runInMemory(
  scenario: Scenario,
  mode: ModeName,
  planned: Plan,
  lies: Lies = {},
): Promise<ListedRun> {
  const time = new VirtualTime();
  const system = new ModelSystem(scenario, mode, time);
  const plan = {
    ...planned,
    faults: planned.faults.map(fault => ({
      ...fault,
      target: resolveTargetName(mode, fault.target, scenario.system) ?? fault.target,
    })),
  };
  const run = new ModelRun(scenario, mode, plan, system, lies);
  return time.run(run.go());
}

class ModelRun {
  readonly #scenario: Scenario;
  readonly #mode: ModeName;
  readonly #plan: Plan;
  readonly #system: ModelSystem;
  readonly #lies: Lies;
  readonly #operations: Operation[] = [];
  readonly #phases: PhaseRecord[] = [];
  readonly #droppedMs: number[] = [];
  readonly #droppedWaitMs: number[] = [];
  readonly #counts = new LiveCounts();
  readonly #users: readonly User[];
  #struck = false;
  #ids = 0;

  constructor(scenario: Scenario, mode: ModeName, plan: Plan, system: ModelSystem, lies: Lies) {
    this.#scenario = scenario;
    this.#mode = mode;
    this.#plan = plan;
    this.#system = system;
    this.#lies = lies;
    const { timeoutMs, journey, replayEveryMs, browserCookie } = scenario.users;
    const clients = system.proxies.map(proxy => ({
      proxy: proxy.name,
      client: this.#lyingClient((request, cookie) => proxy.send(request, cookie, timeoutMs)),
    }));
    const world = {
      origin: 'http://127.0.0.1:80',
      journey: journey === 'shop' ? shopJourney : mappedJourney(journey),
      clock: system.time,
      timeoutMs,
      revocationLagMs: modes[mode].revocationLagMs,
      replayEveryMs,
      naming: backendNaming,
      browserCookie,
      tokenOf: itemOf,
      isOver: () => false,
      nextId: () => ++this.#ids,
      onSent: () => undefined,
      onOperation: (operation: Operation) => this.#note(operation),
      onLag: () => undefined,
      onDropped: (plannedMs: number, waitMs: number) => {
        this.#droppedMs.push(plannedMs);
        this.#droppedWaitMs.push(waitMs);
      },
    };
    this.#users = plan.users.map((user, index) => new User(user.name, world, chooseClient(clients, index)));
  }

  async go(): Promise<ListedRun> {
    const { time } = this.#system;
    const { warmupMs, baselineMs, faultsMs, recoveryMs, quiesceMs } = this.#scenario.phases;
    const usersDone = Promise.all(this.#users.map((user, index) => user.doSteps(this.#plan.users[index]?.steps ?? [])));
    await this.#phase('warmup', () => time.until(warmupMs));
    await this.#phase('baseline', () => time.until(warmupMs + baselineMs));
    const startMs = warmupMs + baselineMs;
    const endMs = startMs + faultsMs;
    if (this.#plan.faults.length === 0) this.#struck = true;
    const faults = runFaultsInMemory({
      specs: this.#plan.faults,
      system: this.#system,
      counts: this.#counts,
      startMs,
      endMs,
      areFeigned: this.#lies.feigned ?? false,
      onStruck: () => {
        this.#struck = true;
      },
    });
    await this.#phase('faults', () => Promise.all([faults, time.until(endMs)]));
    await this.#phase('recovery', () => Promise.all([this.#system.wait(recoveryMs), usersDone]));
    await this.#phase('quiesce', () => this.#system.wait(quiesceMs));
    await this.#phase('readback', () => this.#readBack());
    return this.#record(await faults);
  }

  async #phase(phase: PhaseRecord['phase'], work: () => Promise<unknown>): Promise<void> {
    const startMs = this.#system.time.now();
    await work();
    this.#phases.push({ type: 'phase', phase, startMs, endMs: this.#system.time.now() });
  }

  async #readBack(): Promise<void> {
    const waiting = this.#users.values();
    const readAll = async (): Promise<void> => {
      for (const user of waiting) await user.readBack();
    };
    await Promise.all(Array.from({ length: readBackAtOnce }, readAll));
  }

  #lyingClient(send: Client['send']): Client {
    return {
      send: async (request, cookie) => {
        const lie = this.#struck ? this.#lies.answer?.(request) : undefined;
        if (lie === undefined) return send(request, cookie);
        await this.#system.wait(2);
        return lie;
      },
    };
  }

  #note(operation: Operation): void {
    this.#operations.push(operation);
    this.#counts.note(operation);
  }

  #record({ records, neverStruck }: Awaited<ReturnType<typeof runFaultsInMemory>>): ListedRun {
    return {
      header: this.#header(),
      operations: this.#operations,
      phases: this.#phases,
      faults: records,
      members: this.#system.members,
      lab: {
        type: 'lab',
        lagMs: { p50: 0.2, p99: 1, max: 2 },
        busyMs: 0,
        dropped: this.#droppedMs.length,
        droppedMs: this.#droppedMs,
        droppedWaitMs: this.#droppedWaitMs,
        neverStruck,
        counts: this.#system.counts(),
      },
    };
  }

  #header(): RunHeader {
    const { name, why, system } = this.#scenario;
    const stores = storesOf(this.#mode);
    const members = [...this.#system.backends, ...this.#system.proxies, ...(this.#system.store?.members ?? [])];
    return {
      type: 'run',
      schema: 1,
      scenario: name,
      why,
      mode: this.#mode,
      seed: this.#plan.seed,
      nonce,
      revocationLagMs: modes[this.#mode].revocationLagMs,
      system: {
        members: members.map(({ name }) => ({ name, role: roleOf(name) })),
        keeps: stores.length === 0 ? 'backend' : modes[this.#mode].strategy === 'reference' ? 'store' : 'browser',
        stores,
        ...(system.proxy.policy === 'rendezvous' && { policy: 'rendezvous' }),
        affinity: system.proxy.affinity === undefined ? modes[this.#mode].affinity : system.proxy.affinity === 'on',
      },
      planned: this.#plan.users.reduce((sum, user) => sum + user.steps.length, 0),
      faults: this.#plan.faults.map(({ id }) => id),
      expectations: expectationsOf(this.#scenario, this.#mode),
      versions: {},
      startedAt: '2026-01-01T00:00:00.000Z',
    };
  }
}

/** Returns the item of a token, from a cache: the same plans run many times, and hashing is slow. */
function itemOf(planned: string): string {
  const known = items.get(planned);
  if (known !== undefined) return known;
  const item = tokenOf(planned, nonce);
  items.set(planned, item);
  return item;
}

function roleOf(member: string): 'backend' | 'proxy' | 'store' {
  const kind = kindOf(member);
  return kind === 'proxy' || kind === 'store' ? kind : 'backend';
}
