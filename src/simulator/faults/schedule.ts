import { LabError } from '../errors.js';
import type { FaultRecord } from '../history/records.js';
import type { FaultSpec } from '../scenario/scenario.js';
import { Strike, type StrikeStage } from './strike.js';
import { type AfterTrigger, formatWhen, type LiveCountsNow, type WhenTrigger } from './trigger.js';

export interface FaultStage extends StrikeStage {
  /** Start of the faults phase: `at` counts from here. */
  readonly startMs: number;
  /** Planned end of the phase. Triggers that wait for a count then give up, and faults without a length are healed.
   * Infinity: the phase ends when the signal is aborted. */
  readonly endMs: number;
}

export interface FaultsOver {
  /** The records in the order in which the faults were requested. */
  readonly records: readonly FaultRecord[];
  /** The reason for each fault that did not strike, by its id. */
  readonly neverStruck: Readonly<Record<string, string>>;
}

/**
 * Runs every fault at its trigger: inject, confirm, wait, heal. Faults without a length are healed at the end of the
 * phase, after all others are over, the last one first. Resolves when each fault is healed or could not be healed. The
 * records say what went wrong, and the run goes on. When the signal is aborted, which also closes the clock, no further
 * fault is injected and all active faults are healed at once.
 */
export function runFaults(specs: readonly FaultSpec[], stage: FaultStage): Promise<FaultsOver> {
  return new Schedule(specs, stage).run();
}

/** Result of a trigger: a strike and the counts at its confirmation, or the reason why the fault did not strike. */
type Struck = { readonly strike: Strike; readonly confirmedAt: LiveCountsNow | undefined } | { readonly why: string };

/** One fault from its trigger to its healing. */
interface ScheduledFault {
  readonly struck: Promise<Struck>;
  /** Resolves when the fault is over. A fault with a length is then also healed. */
  readonly over: Promise<void>;
}

class Schedule {
  readonly #specs: readonly FaultSpec[];
  readonly #stage: FaultStage;
  readonly #scheduled = new Map<string, ScheduledFault>();
  readonly #strikes: Strike[] = [];
  /** Confirmed strikes that are healed at the end of the phase. */
  readonly #standing: Strike[] = [];
  readonly #neverStruck: Record<string, string> = {};

  constructor(specs: readonly FaultSpec[], stage: FaultStage) {
    this.#specs = specs;
    this.#stage = stage;
  }

  async run(): Promise<FaultsOver> {
    // If one fails, the others still end: no fault may stay active.
    const results = await Promise.allSettled(this.#specs.map(spec => this.#schedule(spec).over));
    if (this.#standing.length > 0) await this.#stage.clock.until(this.#stage.endMs);
    for (const strike of this.#standing.toReversed()) results.push(...(await Promise.allSettled([this.#heal(strike)])));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const records = this.#strikes.map(({ record }) => record).sort((a, b) => a.requestedMs - b.requestedMs);
    return { records, neverStruck: this.#neverStruck };
  }

  #schedule(spec: FaultSpec): ScheduledFault {
    const known = this.#scheduled.get(spec.id);
    if (known !== undefined) return known;
    const struck = this.#strike(spec);
    const scheduled = { struck, over: struck.then(outcome => this.#healInTime(spec, outcome)) };
    this.#scheduled.set(spec.id, scheduled);
    return scheduled;
  }

  async #strike(spec: FaultSpec): Promise<Struck> {
    const why = await this.#waitForTrigger(spec);
    if (this.#stage.signal.aborted) return { why: 'it was interrupted' };
    if (why !== undefined) {
      this.#neverStruck[spec.id] = why;
      this.#stage.onTransition(spec.id, 'never-struck');
      return { why };
    }
    const strike = new Strike(spec, this.#stage);
    this.#strikes.push(strike);
    return { strike, confirmedAt: await strike.inject() };
  }

  async #healInTime({ forMs }: FaultSpec, struck: Struck): Promise<void> {
    if ('why' in struck) return;
    const { strike, confirmedAt } = struck;
    if (confirmedAt !== undefined && forMs === undefined) {
      this.#standing.push(strike);
      return;
    }
    const { clock } = this.#stage;
    if (confirmedAt !== undefined && forMs !== undefined) await clock.until(clock.now() + forMs);
    await this.#heal(strike);
  }

  #heal(strike: Strike): Promise<void> {
    const inForce = ({ record }: Strike) => record.healedMs === null && record.notBack === undefined;
    const others = () => this.#strikes.filter(other => other !== strike && inForce(other));
    return strike.heal(() => others().map(({ record }) => record));
  }

  /** Waits for the trigger. Returns the reason if the fault must not strike; undefined if it must. */
  async #waitForTrigger({ id, trigger }: FaultSpec): Promise<string | undefined> {
    if ('counter' in trigger) return this.#waitForCount(id, trigger);
    if ('afterFault' in trigger) return this.#waitForFault(id, trigger);
    await this.#stage.clock.until(this.#stage.startMs + trigger.atMs);
    return undefined;
  }

  async #waitForFault(id: string, { afterFault, delayMs }: AfterTrigger): Promise<string | undefined> {
    const { clock } = this.#stage;
    const before = this.#findSpec(id, afterFault);
    const scheduled = this.#schedule(before);
    const struck = await scheduled.struck;
    if ('why' in struck) return `it comes after "${afterFault}", which never struck`;
    await scheduled.over.catch(() => undefined);
    const { confirmedMs } = struck.strike.record;
    if (before.forMs === undefined && confirmedMs === null) {
      return `it comes after "${afterFault}", which was never confirmed`;
    }
    await clock.until((before.forMs === undefined ? Number(confirmedMs) : clock.now()) + delayMs);
    return undefined;
  }

  async #waitForCount(id: string, trigger: WhenTrigger): Promise<string | undefined> {
    const { clock, counts, startMs, endMs } = this.#stage;
    const { counter, sinceFault, atLeast, delayMs = 0 } = trigger;
    const struck = sinceFault === undefined ? undefined : await this.#schedule(this.#findSpec(id, sinceFault)).struck;
    if (struck !== undefined && 'why' in struck) return `it counts since "${sinceFault}", which never struck`;
    if (struck !== undefined && struck.confirmedAt === undefined) {
      return `it counts since "${sinceFault}", which was never confirmed`;
    }
    const from = struck?.confirmedAt?.[counter] ?? 0;
    const wait = counts.until(counter, from + atLeast);
    await Promise.race([wait.reached, clock.until(endMs)]);
    wait.forget();
    const reached = counts.now()[counter] - from;
    if (reached >= atLeast) {
      await clock.until(clock.now() + delayMs);
      return undefined;
    }
    return `it waited for ${formatWhen(trigger)}, and ${reached} were reached when the faults phase had lasted its planned ${Math.round(endMs - startMs)} ms`;
  }

  #findSpec(id: string, other: string): FaultSpec {
    const spec = this.#specs.find(one => one.id === other);
    if (spec === undefined) throw new LabError(`fault ${id} waits for "${other}", but there is no fault with that id`);
    return spec;
  }
}
