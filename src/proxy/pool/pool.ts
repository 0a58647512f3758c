import type { Backend, BackendView } from '../backends.js';
import type { Exchange, Outcome } from '../exchange.js';
import { mayRetry } from '../retry.js';
import { Drains } from './drains.js';
import { EjectionQuota } from './ejection-quota.js';
import { type Joining, Member, type MemberFacts, type MemberSettings, type Order } from './member.js';
import { SlowStart } from './slow-start.js';

export interface PoolSettings extends Omit<MemberSettings, 'onStateChange' | 'onReturn' | 'onLearnt'> {
  readonly drainMs: number;
  /** Duration of the slow start of a backend that joined or recovered; 0: no slow start. */
  readonly slowStartMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called when a backend should be probed at once. */
  readonly onSuspect: (member: Member) => void;
  /** Called when a fact of a member may have changed. */
  readonly onFacts?: (member: Member) => void;
  /** When other processes serve: updates `inFlightElsewhere` and the bound browsers of every member. */
  readonly refresh?: () => Promise<void>;
  /** Set in a worker: decisions that must be made once for all workers go to the primary. */
  readonly primary?: Primary;
}

export interface Primary {
  /** Reports a row of failures. The primary ejects the member if the pool can spare it. */
  failures(member: Member): void;
  /** Reports the boot name from an answer (see `Member.learn`). */
  learnt(member: Member, incarnation: string, asked: number): void;
}

/** Remembers names of removed backends with their boot counts. The limit is far above any pool. */
const leftMax = 1024;

/** All backends: which can be chosen, which drain, which are ejected. It does not probe and reads no cookie. */
export class BackendPool {
  #settings: PoolSettings;
  readonly #members: Member[] = [];
  readonly #left = new Map<string, number>();
  readonly #drains: Drains;
  readonly #ejected = new EjectionQuota(this.#members);
  /** Cached candidates for an exchange without earlier tries; undefined: must be computed again. */
  #untried: readonly Member[] | undefined;
  readonly #slowStart: SlowStart;
  #named = 0;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    this.#slowStart = new SlowStart(settings.slowStartMs, settings.now);
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

  find(name: string): Member | undefined {
    return this.#members.find(member => member.name === name);
  }

  /** Applies to later drains and slow starts. A running drain keeps its window. */
  change(settings: Pick<PoolSettings, 'drainMs' | 'boundIdleMs' | 'slowStartMs'>): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#slowStart.lastsMs = settings.slowStartMs;
  }

  /** Adds a backend. Without a name it gets the next name that this pool has never used. */
  add(url: URL, { name = this.#nextName(), ...joining }: Joining & { readonly name?: string } = {}): Member {
    const { primary } = this.#settings;
    const onStateChange = () => this.#changed(member);
    const onReturn = () => this.#slowStart.begin(member);
    const onLearnt = primary && ((given: string, asked: number) => primary.learnt(member, given, asked));
    const settings = { ...this.#settings, onStateChange, onReturn, onLearnt };
    const member: Member = new Member(name, url, settings, joining);
    // It was not watched meanwhile. Browsers bound to the last counted boot must not count as bound.
    const boots = this.find(name)?.boot ?? this.#left.get(name);
    if (boots !== undefined) member.countFrom(boots + 1);
    this.#members.push(member);
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
    this.#left.set(name, removed.boot);
    if (this.#left.size > leftMax) this.#left.delete(this.#left.keys().next().value ?? '');
    return removed;
  }

  /**
   * Returns the backends for an exchange without a usable binding. Suspect ones are used only when no other is left.
   */
  candidates(tried: readonly Backend[]): readonly Member[] {
    this.#slowStart.update();
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
      exchange.breakOff(mayRetry({ method, outcome, triesMade: 1, replayable }));
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
    const { healthy, drained, drainEndsMs } = member.facts;
    member.adopt(facts);
    this.#slowStart.track(member);
    if (healthy && !facts.healthy) this.#release(member);
    if (facts.order !== 'drain') this.#drains.stop(member);
    else if (facts.drained && !drained) this.#drains.endTunnels(member, 0);
    else if (facts.drainEndsMs !== drainEndsMs)
      this.#drains.endTunnels(member, facts.drainEndsMs - this.#settings.now());
  }

  view(member: Member): BackendView {
    this.#slowStart.update();
    const { name, url, state, incarnation, drained, weight, share } = member;
    const bound = member.bound.count(this.#settings.now());
    const inFlight = member.inFlightAnywhere;
    return { name, url: url.origin, state, incarnation, inFlight, bound, drained, weight, share };
  }

  close(): void {
    for (const member of this.#members) this.#stopTimers(member);
  }

  #countFailure(member: Member): void {
    if (!member.ejection.recordFailure() || member.state !== 'ready') return;
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
    this.#ejected.add(member, this.#settings.now(), this.#settings.random());
  }

  #nextName(): string {
    do this.#named += 1;
    while (this.find(`backend-${this.#named}`) !== undefined || this.#left.has(`backend-${this.#named}`));
    return `backend-${this.#named}`;
  }

  #changed(member: Member): void {
    this.#untried = undefined;
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

function isFailure(outcome: Outcome): boolean {
  if (outcome.kind === 'answered') return outcome.status >= 500;
  return outcome.kind === 'broken-off' && outcome.reason !== 'marked_down';
}

/** Whether the outcome looks like a process that has just died. */
function isConnectionLost(outcome: Outcome): boolean {
  if (outcome.kind === 'refused') return outcome.reason !== 'marked_down';
  return outcome.kind === 'broken-off' && outcome.reason === 'connection_terminated';
}
