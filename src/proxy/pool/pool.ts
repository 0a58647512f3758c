import type { Backend, BackendView } from '../backends.js';
import type { Exchange, Outcome } from '../exchange.js';
import { mayRetry } from '../retry.js';
import { Drains } from './drains.js';
import { Ejected } from './ejection-quota.js';
import { type Joining, Member, type MemberFacts, type MemberSettings, type Order } from './member.js';
import { SlowStart } from './slow-start.js';

export interface PoolSettings extends Omit<MemberSettings, 'onStanding' | 'onReturn' | 'onLearnt'> {
  readonly drainMs: number;
  /** How long a backend that joined or failed takes until it has its whole share again; 0: no time. */
  readonly slowStartMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** A backend gave reason to be probed at once. */
  readonly onSuspect: (member: Member) => void;
  /** Some of a member's facts may have changed. */
  readonly onFacts?: (member: Member) => void;
  /** Where others serve: brings `inFlightElsewhere` and the bound browsers of every member up to date. */
  readonly refresh?: () => Promise<void>;
  /** In a worker: what must be decided once for all workers is left to the primary. */
  readonly primary?: Primary;
}

export interface Primary {
  /** A row of failures that should eject the member if the pool can spare it. */
  failures(member: Member): void;
  /** An answer told the name of a boot (see `Member.learn`). */
  learnt(member: Member, incarnation: string, asked: number): void;
}

/** Names of backends that have left are remembered, with how often each had booted. Far above any pool. */
const leftMax = 1024;

/** All backends: who may be chosen, who is drained, who is ejected. It probes nothing and reads no cookie. */
export class BackendPool {
  #settings: PoolSettings;
  readonly #members: Member[] = [];
  readonly #left = new Map<string, number>();
  readonly #drains: Drains;
  readonly #ejected = new Ejected(this.#members);
  /** Whoever may take an exchange that was tried nowhere yet; undefined when that has changed. */
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

  /** Holds for what begins from here on: a drain that is under way keeps its window. */
  change(settings: Pick<PoolSettings, 'drainMs' | 'boundIdleMs' | 'slowStartMs'>): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#slowStart.lastsMs = settings.slowStartMs;
  }

  /** Without a name it takes the next one that nobody here has or had. */
  add(url: URL, { name = this.#nextName(), ...joining }: Joining & { readonly name?: string } = {}): Member {
    const { primary } = this.#settings;
    const onStanding = () => this.#changed(member);
    const onReturn = () => this.#slowStart.begin(member);
    const onLearnt = primary && ((given: string, asked: number) => primary.learnt(member, given, asked));
    const settings = { ...this.#settings, onStanding, onReturn, onLearnt };
    const member: Member = new Member(name, url, settings, joining);
    // Nobody watched it meanwhile: whoever was bound to the boot that was counted last may not pass for bound.
    const boots = this.find(name)?.boot ?? this.#left.get(name);
    if (boots !== undefined) member.countFrom(boots + 1);
    this.#members.push(member);
    this.#ejected.keepHalf();
    return member;
  }

  /** It gets nothing new; what is in flight on it is let finish. */
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

  /** Who may take an exchange that is bound to nobody: a suspect only when nobody better is left. */
  candidates(tried: readonly Backend[]): readonly Member[] {
    this.#slowStart.goOn();
    if (tried.length > 0) return fitAmong(this.#members.filter(member => !tried.includes(member)));
    this.#untried ??= fitAmong(this.#members);
    return this.#untried;
  }

  /** Answers with the slot to give back to `end`. */
  begin(member: Member, exchange: Exchange): number {
    return member.inFlight.add(exchange);
  }

  end(member: Member, slot: number, outcome: Outcome): void {
    member.inFlight.delete(slot);
    // There is nobody left to eject, to probe or to tell of.
    if (member.removed) return;
    if (failed(outcome)) this.#countFailure(member);
    else if (outcome.kind === 'answered') member.ejection.succeeded();
    if (lostTouch(outcome)) this.suspect(member);
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
   * Nobody knows how long a server that stopped answering will stay so. Whoever waits for the head of an answer and may
   * be served elsewhere is released, so that a hung server costs its users the time of detection, not the 30 s of the
   * head timeout. A POST goes on waiting: it may still be answered, and nobody else may carry it out.
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
      if (mayRetry({ method, outcome, triesMade: 1, replayable })) exchange.breakOff();
    }
  }

  /** `windowMs`: how long a drain keeps the bound browsers; 0 moves them at once. A second drain begins a new window. */
  obey(member: Member, order: Order, windowMs = this.#settings.drainMs): void {
    this.#drains.stop(member);
    member.obey(order);
    this.#ejected.keepHalf();
    if (order === 'drain') this.#drains.begin(member, windowMs);
  }

  /** In a worker: the member becomes what it is in the primary, and what is in flight on it here is dealt with. */
  adopt(member: Member, facts: MemberFacts): void {
    const { healthy, drained, drainEndsMs } = member.facts;
    member.adopt(facts);
    this.#slowStart.follow(member);
    if (healthy && !facts.healthy) this.#release(member);
    if (facts.order !== 'drain') this.#drains.stop(member);
    else if (facts.drained && !drained) this.#drains.endTunnels(member, 0);
    else if (facts.drainEndsMs !== drainEndsMs)
      this.#drains.endTunnels(member, facts.drainEndsMs - this.#settings.now());
  }

  view(member: Member): BackendView {
    this.#slowStart.goOn();
    const { name, url, state, incarnation, drained, weight, share } = member;
    const bound = member.bound.count(this.#settings.now());
    const inFlight = member.inFlightAnywhere;
    return { name, url: url.origin, state, incarnation, inFlight, bound, drained, weight, share };
  }

  close(): void {
    for (const member of this.#members) this.#stopTimers(member);
  }

  #countFailure(member: Member): void {
    if (!member.ejection.failed() || member.state !== 'ready') return;
    const { primary } = this.#settings;
    if (primary === undefined) {
      this.ejectIfSpared(member);
    } else {
      primary.failures(member);
      // Told once for each row, however long the pool cannot spare the backend.
      member.ejection.succeeded();
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

function fitAmong(members: readonly Member[]): readonly Member[] {
  const ready = members.filter(({ state, weight }) => state === 'ready' && weight > 0);
  const sound = ready.filter(({ suspect }) => !suspect);
  return sound.length > 0 ? sound : ready;
}

function failed(outcome: Outcome): boolean {
  if (outcome.kind === 'answered') return outcome.status >= 500;
  return outcome.kind === 'broken-off' && outcome.reason !== 'marked_down';
}

/** What a process that has just died looks like from here. */
function lostTouch(outcome: Outcome): boolean {
  return outcome.kind === 'refused' || (outcome.kind === 'broken-off' && outcome.reason === 'connection_terminated');
}
