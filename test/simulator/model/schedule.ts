import { faults as registry } from '#src/simulator/faults/kinds/registry.js';
import { formatWhen, type LiveCounts, type LiveCountsNow } from '#src/simulator/faults/trigger.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { meterOf } from './effects.js';
import { type ModelFault, strikes } from './strikes.js';
import type { ModelSystem } from './system.js';

export interface FaultsInMemory {
  readonly specs: readonly FaultSpec[];
  readonly system: ModelSystem;
  readonly counts: LiveCounts;
  readonly startMs: number;
  readonly endMs: number;
  /** Whether the faults are recorded as usual, but do nothing. */
  readonly areFeigned: boolean;
  onStruck(): void;
}

type Draft = { -readonly [key in keyof FaultRecord]: FaultRecord[key] };

interface FaultRun {
  /** The counts at its confirmation. Undefined when it never struck. */
  readonly struck: Promise<LiveCountsNow | undefined>;
  /** Resolves when it is over, including its healing if it has its own length. */
  readonly over: Promise<void>;
  record?: Draft;
}

/** Runs faults in memory by the rules of `faults/schedule.ts`. Resolves when all are healed. */
export async function runFaultsInMemory(
  stage: FaultsInMemory,
): Promise<{ records: FaultRecord[]; neverStruck: Record<string, string> }> {
  const { specs, system, endMs } = stage;
  const runs = new Map<string, FaultRun>();
  const standing: (() => Promise<void>)[] = [];
  const neverStruck: Record<string, string> = {};

  function begin(spec: FaultSpec): FaultRun {
    const known = runs.get(spec.id);
    if (known !== undefined) return known;
    const fault = makeFault(spec, stage);
    const run: { struck?: FaultRun['struck']; over?: FaultRun['over']; record?: Draft } = {};
    const struck = (async () => {
      const why = await waitForTrigger(spec);
      if (why !== undefined) {
        neverStruck[spec.id] = why;
        return undefined;
      }
      stage.onStruck();
      const record = newRecord(spec, stage);
      run.record = record;
      await fault.inject();
      record.confirmedMs = system.time.now();
      return stage.counts.now();
    })();
    const over = struck.then(async counts => {
      if (counts === undefined || run.record === undefined) return;
      const heal = makeHealing(spec, fault, run.record, stage);
      if (spec.forMs === undefined) standing.push(heal);
      else {
        await system.wait(spec.forMs);
        await heal();
      }
    });
    const whole = Object.assign(run, { struck, over });
    runs.set(spec.id, whole);
    return whole;
  }

  async function waitForTrigger({ trigger }: FaultSpec): Promise<string | undefined> {
    if ('atMs' in trigger) {
      await system.time.until(stage.startMs + trigger.atMs);
      return undefined;
    }
    const other = 'afterFault' in trigger ? trigger.afterFault : trigger.sinceFault;
    const before = specs.find(({ id }) => id === other);
    const counts = before === undefined ? undefined : await begin(before).struck;
    if (before !== undefined && counts === undefined) return `it waits for "${other}", which never struck`;
    if ('afterFault' in trigger) {
      if (before?.forMs !== undefined) await begin(before).over;
      await system.wait(trigger.delayMs);
      return undefined;
    }
    const from = counts?.[trigger.counter] ?? 0;
    const wait = stage.counts.until(trigger.counter, from + trigger.atLeast);
    await Promise.race([wait.reached, system.time.until(endMs)]);
    wait.forget();
    const reached = stage.counts.now()[trigger.counter] - from;
    if (reached >= trigger.atLeast) await system.wait(trigger.delayMs ?? 0);
    return reached >= trigger.atLeast ? undefined : `it waited for ${formatWhen(trigger)}, and ${reached} were reached`;
  }

  await Promise.all(specs.map(spec => begin(spec).over));
  if (standing.length > 0) await system.time.until(endMs);
  for (const heal of standing.toReversed()) await heal();
  const records = [...runs.values()].flatMap(({ record }) => (record === undefined ? [] : [record]));
  return { records: records.sort((a, b) => a.requestedMs - b.requestedMs), neverStruck };
}

function makeFault({ do: name, target, options = {} }: FaultSpec, { system, areFeigned }: FaultsInMemory): ModelFault {
  const strike = strikes[name];
  if (strike === undefined) throw new Error(`the model knows no fault "${name}"`);
  if (!areFeigned) return strike(system, target, options);
  const isAnswering = registry[name]?.effect(target, options).kind === 'answered';
  return isAnswering ? feignAnswers(system, target) : { inject: () => system.wait(50), heal: () => system.wait(200) };
}

/** Makes the feigned form of a fault whose effect is answers of a member: the member gets no requests. */
function feignAnswers(system: ModelSystem, target: string): ModelFault {
  const candidate = system.candidate(target);
  const { state } = candidate;
  return {
    async inject() {
      candidate.state = 'out';
      await system.wait(50);
    },
    async heal() {
      candidate.state = state;
      await system.wait(200);
    },
  };
}

function newRecord(spec: FaultSpec, { system }: FaultsInMemory): Draft {
  const { id, do: fault, target, options } = spec;
  const requestedMs = system.time.now();
  const expects = registry[fault]?.effect(target, options);
  return {
    type: 'fault',
    id,
    fault,
    target,
    ...(options !== undefined && { options }),
    requestedMs,
    confirmedMs: null,
    healRequestedMs: null,
    healedMs: null,
    ...(expects && { expects }),
  };
}

/** Returns a function that records how much the counter of the effect grew, and then heals. */
function makeHealing(spec: FaultSpec, fault: ModelFault, record: Draft, stage: FaultsInMemory): () => Promise<void> {
  const { system, areFeigned } = stage;
  const meter = record.expects && meterOf(record.expects, spec, system);
  const before = meter?.() ?? 0;
  return async () => {
    record.healRequestedMs = system.time.now();
    if (meter !== undefined) record.measured = areFeigned ? 0 : meter() - before;
    await fault.heal();
    record.healedMs = system.time.now();
  };
}
