import { messageOf } from '../../shared/text.js';
import type { Cluster } from '../cluster/cluster.js';
import { kindOf, membersIn } from '../cluster/targets.js';
import { Interrupted, LabError, MemberNotBack, rejectOnAbort } from '../errors.js';
import type { FaultRecord } from '../history/records.js';
import { randomStream } from '../plan/random.js';
import type { FaultEvent } from '../run/journal.js';
import type { RunClock } from '../run/run-clock.js';
import type { FaultSpec } from '../scenario/scenario.js';
import type { Fault } from './fault.js';
import { faults as registry } from './kinds/registry.js';
import type { LiveCounts, LiveCountsNow } from './trigger.js';

export interface StrikeStage {
  readonly cluster: Cluster;
  readonly clock: RunClock;
  readonly counts: LiveCounts;
  /** Seed of the plan, for the random choices of faults. */
  readonly seed: number;
  /** When aborted, an injection in progress is abandoned, so that the fault can be healed. */
  readonly signal: AbortSignal;
  /** Set when the whole lab ends with the signal. `heal` then stops waiting when the signal is aborted. */
  readonly endsWithSignal?: true;
  onTransition(id: string, what: FaultEvent): void;
  /** Called whenever the state of a strike has changed. Its record then holds everything that is known. */
  onState?(strike: Strike): void;
}

type State = 'requested' | 'confirmed' | 'not-confirmed' | 'healing' | 'healed' | 'not-healed';

type Draft = { -readonly [key in keyof FaultRecord]: FaultRecord[key] };

/** One execution of a fault: inject, confirm, heal. Its record says what went wrong. */
export class Strike {
  readonly #fault: Fault;
  readonly #record: Draft;
  readonly #stage: StrikeStage;
  #countAtConfirmation: number | undefined;
  #state: State = 'requested';
  #healing: Promise<void> | undefined;
  /** Why it was not confirmed. */
  #unconfirmed: string | undefined;

  /** Creates the fault and records the request time. Throws `LabError` when there is no such fault. */
  constructor({ id, do: action, target, options }: FaultSpec, stage: StrikeStage) {
    const entry = registry[action];
    if (entry === undefined) throw new LabError(`no fault "${action}"; there are ${Object.keys(registry).join(', ')}`);
    this.#fault = entry.make(target, options, randomStream(stage.seed, `fault/${id}`));
    this.#stage = stage;
    const requestedMs = stage.clock.now();
    const moments = { requestedMs, confirmedMs: null, healRequestedMs: null, healedMs: null };
    const struck = { fault: action, target, ...(options !== undefined && { options }) };
    this.#record = { type: 'fault', id, ...struck, ...moments, expects: entry.effect(target, options) };
  }

  get record(): FaultRecord {
    return this.#record;
  }

  get state(): State {
    return this.#state;
  }

  /** Injects and confirms the fault. Returns the counts at the confirmation; undefined without one. Never rejects. */
  async inject(): Promise<LiveCountsNow | undefined> {
    const { signal } = this.#stage;
    const record = this.#record;
    let confirmedAt: LiveCountsNow | undefined;
    this.#stage.onState?.(this);
    try {
      confirmedAt = await this.#breakAndConfirm();
    } catch (error) {
      if (error instanceof Interrupted) return undefined;
      record.problem = `${record.fault} of ${record.target} could not be done: ${messageOf(error)}`;
    }
    this.#unconfirmed = record.problem;
    this.#enter(confirmedAt === undefined ? 'not-confirmed' : 'confirmed');
    if (confirmedAt !== undefined && !signal.aborted) this.#countAtConfirmation = await this.#measure();
    return confirmedAt;
  }

  /**
   * Heals the fault. Does not reject when that fails: the record says why. A member that does not come back is a
   * finding, unless one of `others`, the faults that are still active, may hold it down. A second call waits for the
   * first one. After a failure, it tries again.
   */
  heal(others: () => readonly FaultRecord[]): Promise<void> {
    if (this.#state === 'not-healed') this.#healing = undefined;
    this.#healing ??= this.#heal(others);
    return this.#healing;
  }

  async #heal(others: () => readonly FaultRecord[]): Promise<void> {
    const { cluster, clock, signal, endsWithSignal } = this.#stage;
    const record = this.#record;
    if (this.#state === 'not-healed') this.#forgetFailure();
    else await this.#noteMeasured();
    record.healRequestedMs ??= clock.now();
    this.#state = 'healing';
    this.#stage.onState?.(this);
    try {
      const healing = this.#fault.heal(cluster);
      await (endsWithSignal ? rejectOnAbort(healing, signal) : healing);
      record.healedMs = clock.now();
      this.#enter('healed');
    } catch (error) {
      this.#noteNotHealed(error, others());
      this.#enter('not-healed');
    }
  }

  async #noteMeasured(): Promise<void> {
    const before = this.#countAtConfirmation;
    const after = before === undefined || this.#stage.signal.aborted ? undefined : await this.#measure();
    if (before !== undefined && after !== undefined) this.#record.measured = Math.max(0, after - before);
  }

  /** Restores the record as it was before the first try to heal. */
  #forgetFailure(): void {
    delete this.#record.notBack;
    if (this.#unconfirmed === undefined) delete this.#record.problem;
    else this.#record.problem = this.#unconfirmed;
  }

  #enter(state: Exclude<State, 'requested' | 'healing'>): void {
    this.#state = state;
    this.#stage.onTransition(this.#record.id, state);
    this.#stage.onState?.(this);
  }

  async #breakAndConfirm(): Promise<LiveCountsNow | undefined> {
    const { cluster, clock, counts, signal, onTransition } = this.#stage;
    const [fault, record] = [this.#fault, this.#record];
    const dead = describeDead(cluster, record.target);
    const before = fault.confirmedBefore?.(cluster);
    if (before !== undefined) record.wasConfirmedBefore = await rejectOnAbort(before, signal);
    await rejectOnAbort(fault.inject(cluster), signal);
    this.#noteStruck();
    onTransition(record.id, 'injected');
    const seen = await rejectOnAbort(fault.confirm(cluster), signal);
    if (seen === false) {
      record.problem = `${record.fault} of ${record.target} was not confirmed: ${dead ?? describeExternal(cluster, record.target) ?? 'the system does not look broken that way'}`;
      return undefined;
    }
    record.confirmedMs = clock.now();
    record.evidence = seen;
    return counts.now();
  }

  /** Records which member a target such as `member-2` stands for. It was alive, as a strike on a dead one fails. */
  #noteStruck(): void {
    const record = this.#record;
    const struck = this.#stage.cluster.members.find(({ name }) => name === record.target)?.shownAs;
    if (struck === undefined || struck === record.target) return;
    record.struck = struck;
    record.wasConfirmedBefore = false;
    if (record.expects?.kind === 'silent') record.expects = { ...record.expects, member: struck };
  }

  /** Returns the counter of the fault; undefined when the server is busy or dead. */
  async #measure(): Promise<number | undefined> {
    return this.#fault.measure?.(this.#stage.cluster).catch(() => undefined);
  }

  #noteNotHealed(error: unknown, others: readonly FaultRecord[]): void {
    const record = this.#record;
    const holder = error instanceof MemberNotBack ? others.find(other => canHold(other, error.member)) : undefined;
    if (error instanceof MemberNotBack && holder === undefined) {
      record.notBack = [{ member: error.member, why: error.why }];
      return;
    }
    const meanwhile = holder === undefined ? '' : ` (while ${holder.fault} of ${holder.target} was in force)`;
    record.problem = [record.problem, `not healed: ${messageOf(error)}${meanwhile}`].filter(Boolean).join('; ');
  }
}

/** Returns whether an active fault can be the reason why this member does not come back. Its target is then the member,
 * one of its links, all backends together, or a store or system that the member may need in order to boot. */
function canHold({ target }: FaultRecord, member: string): boolean {
  const struck = membersIn(target);
  return struck.includes(member) || struck.some(name => ['store', 'system', 'backends'].includes(kindOf(name)));
}

/** Says which members of the target are not running: a fault cannot strike those. Undefined when all run. */
function describeDead({ members }: Cluster, target: string): string | undefined {
  const dead = membersIn(target).filter(name => members.some(one => one.name === name && !one.isRunning));
  return dead.length === 0 ? undefined : `${dead.join(' and ')} was not running when it struck`;
}

/** Says what the check of its driver found last. Undefined when the target is no external member. */
function describeExternal({ members }: Cluster, target: string): string | undefined {
  const struck = kindOf(target) === 'member' ? members.find(({ name }) => name === target) : undefined;
  return struck && `${struck.shownAs} ${struck.describe()}`;
}
