import type { Backend, BackendView } from '../backends.js';
import type { Exchange, Outcome } from '../exchange.js';
import type { EjectionOptions, QueueOptions, WorkerShare } from '../options.js';
import { mayRetry } from '../retry.js';
import {
  type Joining,
  Member,
  type MemberFacts,
  type MemberSettings,
  type MemberSnapshot,
  type Order,
} from './member.js';
import { RequestQueue } from './request-queue.js';
import { Drains, EjectionQuota, SlowStart } from './timed-states.js';

export interface PoolSettings extends Omit<MemberSettings, 'onStateChange' | 'onReturn' | 'onLearnt'> {
  readonly drainMs: number;
  readonly ejection: EjectionOptions;
  /** Duration of the slow start of a backend that joined or recovered; 0: no slow start. */
  readonly slowStartMs: number;
  /** The limit of requests at once of a backend that has none of its own; absent or 0: no limit. */
  readonly maxconn?: number;
  /** Absent: no request waits for a full backend. */
  readonly queue?: QueueOptions;
  /** The part of every limit that this process has; absent: the whole limit. */
  readonly share?: WorkerShare | undefined;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called when a backend should be probed at once. */
  readonly onSuspect: (member: Member) => void;
  /** Called when a fact of a member may have changed. */
  readonly onFacts?: (member: Member) => void;
  /** Updates `inFlightElsewhere` and the bound browsers of every member. Absent: no other process serves. */
  readonly refresh?: () => Promise<void>;
  /** The names that this pool gives begin with this. */
  readonly prefix?: string;
  /** Set in a worker: decisions that must be made once for all workers go to the primary. */
  readonly primary?: Primary;
}

/** The settings that a reload can change, and in which the pools of one proxy may differ. */
export type ChangeableSettings = Pick<
  PoolSettings,
  'drainMs' | 'boundIdleMs' | 'ejection' | 'slowStartMs' | 'maxconn' | 'queue'
>;

export interface Primary {
  /** Reports a row of failures. The primary ejects the member if the pool can spare it. */
  failures(member: Member): void;
  /** Reports the boot name from an answer (see `Member.learn`). */
  learnt(member: Member, incarnation: string, asked: number): void;
}

/** The limits that a backend has for itself. */
interface OwnLimits {
  readonly maxconn?: number | undefined;
  readonly responseMs?: number | undefined;
}

/** A backend that left, with the number of its last boot. */
export interface LeftBackend {
  readonly name: string;
  readonly boot: number;
}

/** Remembers removed backends with their boot counts. The limit is far above any pool. */
const leftMax = 1024;

/** All backends: which can be chosen, which drain, which are ejected. It does not probe and reads no cookie. */
export class BackendPool {
  #settings: PoolSettings;
  readonly #members: Member[] = [];
  /** By identity. */
  readonly #left = new Map<string, LeftBackend>();
  readonly #drains: Drains;
  readonly #ejected = new EjectionQuota(this.#members);
  /** Cached candidates for an exchange without earlier tries; undefined: must be computed again. */
  #untried: readonly Member[] | undefined;
  readonly #slowStart: SlowStart;
  readonly queue: RequestQueue;
  /** Some backend has a limit of requests at once. */
  #limited = false;
  #named = 0;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    this.#slowStart = new SlowStart(settings.slowStartMs, settings.now);
    this.queue = new RequestQueue(this, shareQueue(settings));
    this.#drains = new Drains({
      now: settings.now,
      refresh: settings.refresh,
      onChanged: member => this.#changed(member),
      onEnd: ({ name }, reason) => settings.onEvent({ kind: 'drained', backend: name, reason }),
    });
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Whether a request may have to wait for a slot of a backend. */
  get limited(): boolean {
    return this.#limited;
  }

  find(name: string): Member | undefined {
    return this.#members.find(member => member.name === name);
  }

  /** Applies to later drains, ejections, slow starts and waits. A running drain or ejection keeps its time. */
  change(settings: ChangeableSettings): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#slowStart.lastsMs = settings.slowStartMs;
    this.queue.change(shareQueue(this.#settings));
    for (const member of this.#members) this.#applyLimit(member);
  }

  /** Adds a backend. Without a name it gets the next name that this pool has never used. */
  add(
    url: URL,
    { name = this.#nextName(), ...joining }: Joining & { readonly name?: string | undefined } = {},
  ): Member {
    const { primary } = this.#settings;
    const onStateChange = () => this.#changed(member);
    const onReturn = () => this.#slowStart.begin(member);
    const onLearnt = primary && ((given: string, asked: number) => primary.learnt(member, given, asked));
    const settings = { ...this.#settings, onStateChange, onReturn, onLearnt };
    const member: Member = new Member(name, url, settings, joining);
    // A member that left was not watched meanwhile. Browsers bound to its last counted boot must not count as bound.
    const boots = this.#left.get(member.identity)?.boot;
    if (boots !== undefined) member.countFrom(boots + 1);
    this.#members.push(member);
    this.#applyLimit(member);
    this.#ejected.keepHalf();
    return member;
  }

  /** Removes a backend. It gets nothing new; its requests in flight may finish. */
  remove(name: string): Member | undefined {
    const at = this.#members.findIndex(member => member.name === name);
    const [removed] = at === -1 ? [] : this.#members.splice(at, 1);
    this.#untried = undefined;
    if (removed === undefined) return undefined;
    removed.removed = true;
    this.#slowStart.forget(removed);
    this.#stopTimers(removed);
    this.#ejected.keepHalf();
    this.queue.review();
    this.#left.set(removed.identity, { name, boot: removed.boot });
    if (this.#left.size > leftMax) this.#left.delete(this.#left.keys().next().value ?? '');
    return removed;
  }

  /**
   * Returns the backends for an exchange without a usable binding. Suspect ones are used only when no other is left, and
   * so are full ones.
   */
  candidates(tried: readonly Backend[]): readonly Member[] {
    this.#slowStart.update();
    if (this.#limited) return selectFree(this.#usable(tried));
    return this.#usable(tried);
  }

  #usable(tried: readonly Backend[]): readonly Member[] {
    if (tried.length > 0) return selectUsable(this.#members.filter(member => !tried.includes(member)));
    this.#untried ??= selectUsable(this.#members);
    return this.#untried;
  }

  /** Returns the slot to pass to `end`. */
  begin(member: Member, exchange: Exchange): number {
    return member.inFlight.add(exchange);
  }

  end(member: Member, slot: number, outcome: Outcome): void {
    member.inFlight.delete(slot);
    if (this.queue.length > 0) this.queue.serve(member);
    // A removed backend is not ejected, probed or reported.
    if (member.removed) return;
    if (isFailure(outcome)) this.#countFailure(member);
    else if (outcome.kind === 'answered') member.ejection.recordSuccess();
    if (isConnectionLost(outcome)) this.suspect(member);
    if (member.state === 'draining') this.#drains.look(member);
  }

  weigh(member: Member, weight: number): void {
    member.weight = weight;
    this.#ejected.keepHalf();
  }

  /** Sets its own limits. Undefined: the limit of all backends. */
  limit(member: Member, { maxconn, responseMs }: OwnLimits): void {
    member.ownMaxconn = maxconn;
    member.responseMs = responseMs;
    this.#applyLimit(member);
    this.#changed(member);
  }

  #applyLimit(member: Member): void {
    const { maxconn = 0, share } = this.#settings;
    const before = member.maxconn;
    member.maxconn = member.ownMaxconn ?? maxconn;
    member.slotsMax = member.maxconn === 0 ? Number.POSITIVE_INFINITY : computeShare(member.maxconn, share);
    this.#limited = this.#members.some(each => each.maxconn > 0);
    if (member.maxconn !== before) this.#changed(member);
  }

  suspect(member: Member): void {
    member.suspect = true;
    this.#settings.onSuspect(member);
  }

  up(member: Member, reason: string): void {
    member.up(reason);
  }

  /**
   * Marks a backend as down. It is unknown how long a server that stopped answering will stay so. Exchanges that wait
   * for a connection are released, because nothing was sent. Those that wait for an answer's head are released if they
   * may be retried. A hung server then costs its users the time of detection, not the 30 s of the head time-out. A POST
   * that was sent goes on waiting: it may still be answered, and no other backend may carry it out.
   */
  down(member: Member, reason: string): void {
    member.down(reason);
    this.#ejected.keepHalf();
    this.#release(member);
  }

  #release(member: Member): void {
    const outcome: Outcome = { kind: 'broken-off', reason: 'marked_down' };
    for (const exchange of [...member.inFlight]) {
      const { method, replayable } = exchange;
      exchange.breakOff(mayRetry({ method, outcome, triesMade: 1, replayable, bound: false }));
    }
  }

  /**
   * Applies the operator's order. `windowMs`: how long a drain keeps bound browsers; 0 moves them at once. A second
   * drain starts a new window.
   */
  obey(member: Member, order: Order, windowMs = this.#settings.drainMs): void {
    this.#drains.stop(member);
    member.obey(order);
    this.#ejected.keepHalf();
    if (order === 'drain') this.#drains.begin(member, windowMs);
  }

  /** In a worker: copies the primary's facts, and releases or ends what is in flight here accordingly. */
  adopt(member: Member, facts: MemberFacts): void {
    const { healthy, windowOver, drainEndsMs } = member.facts;
    member.adopt(facts);
    this.#applyLimit(member);
    this.#slowStart.track(member);
    if (healthy && !facts.healthy) this.#release(member);
    if (facts.order !== 'drain') this.#drains.stop(member);
    else if (facts.windowOver && !windowOver) this.#drains.endTunnels(member, 0);
    else if (facts.drainEndsMs !== drainEndsMs)
      this.#drains.endTunnels(member, facts.drainEndsMs - this.#settings.now());
  }

  /** Returns the backends that left, by their identity. */
  get left(): ReadonlyMap<string, LeftBackend> {
    return this.#left;
  }

  /** Takes over what another process knew of backends that left. Called before the first backend is added. */
  restoreLeft(left: ReadonlyMap<string, LeftBackend>): void {
    for (const [identity, backend] of left) this.#left.set(identity, backend);
  }

  /**
   * Takes over a member from another process. A running drain ends at the time that was set there. The member keeps the
   * weight and limits with which it was added.
   */
  restore(member: Member, { facts, bound }: MemberSnapshot): void {
    const { weight, ownMaxconn: maxconn, responseMs } = member;
    member.adopt({ ...facts, weight }, 'as before the restart');
    this.limit(member, { maxconn, responseMs });
    member.bound.add(bound);
    this.#slowStart.track(member);
    if (facts.ejected) this.ejectIfSpared(member);
    const leftMs = Math.max(0, facts.drainEndsMs - this.#settings.now());
    if (facts.order === 'drain' && !facts.windowOver) this.#drains.begin(member, leftMs);
  }

  view(member: Member): BackendView {
    this.#slowStart.update();
    const { name, url, host, state, incarnation, drained, weight, share, maxconn } = member;
    const bound = member.bound.count(this.#settings.now());
    const inFlight = member.inFlightAnywhere;
    const queued = this.queue.lengthFor(member) + member.queuedElsewhere;
    const pool = host === '' ? {} : { host };
    const limits = { inFlight, maxconn, queued };
    return { name, ...pool, url: url.origin, state, incarnation, ...limits, bound, drained, weight, share };
  }

  close(): void {
    for (const member of this.#members) this.#stopTimers(member);
    this.queue.close();
  }

  #countFailure(member: Member): void {
    if (!member.ejection.recordFailure(this.#settings.ejection) || member.state !== 'ready') return;
    const { primary } = this.#settings;
    if (primary === undefined) {
      this.ejectIfSpared(member);
    } else {
      primary.failures(member);
      // Report each row once, even if the pool cannot spare the backend.
      member.ejection.recordSuccess();
    }
  }

  ejectIfSpared(member: Member): void {
    const { now, random, ejection } = this.#settings;
    this.#ejected.add(member, now(), random(), ejection);
  }

  #nextName(): string {
    const names = new Set([...this.#members, ...this.#left.values()].map(({ name }) => name));
    let name = '';
    do {
      this.#named += 1;
      name = `${this.#settings.prefix ?? ''}backend-${this.#named}`;
    } while (names.has(name));
    return name;
  }

  #changed(member: Member): void {
    this.#untried = undefined;
    this.queue.review();
    this.#settings.onFacts?.(member);
  }

  #stopTimers(member: Member): void {
    this.#drains.stop(member);
    this.#ejected.forget(member);
  }
}

function selectUsable(members: readonly Member[]): readonly Member[] {
  const ready = members.filter(({ state, weight }) => state === 'ready' && weight > 0);
  const sound = ready.filter(({ suspect }) => !suspect);
  return sound.length > 0 ? sound : ready;
}

function selectFree(members: readonly Member[]): readonly Member[] {
  const free = members.filter(({ hasSlot }) => hasSlot);
  return free.length > 0 ? free : members;
}

/** Computes the part of a limit for one of several processes. It is at least 1. */
function computeShare(limit: number, { nth, of }: WorkerShare = { nth: 0, of: 1 }): number {
  return Math.max(1, Math.floor(limit / of) + (nth < limit % of ? 1 : 0));
}

function shareQueue({ queue, share }: Pick<PoolSettings, 'queue' | 'share'>): QueueOptions {
  const { lengthMax, timeoutMs } = queue ?? { lengthMax: 0, timeoutMs: 0 };
  return { lengthMax: Math.ceil(lengthMax / (share?.of ?? 1)), timeoutMs };
}

function isFailure(outcome: Outcome): boolean {
  if (outcome.kind === 'answered') return outcome.status >= 500;
  return outcome.kind === 'broken-off' && outcome.reason !== 'marked_down';
}

/** Whether the outcome looks like a process that has just died. */
function isConnectionLost(outcome: Outcome): boolean {
  if (outcome.kind === 'refused') return outcome.reason !== 'marked_down';
  return outcome.kind === 'broken-off' && outcome.reason === 'connection_terminated';
}
