import type { Backend, BackendState } from '../backends.js';
import type { ProxyEvent } from '../options.js';
import { type BootFacts, Boots, BoundBrowsers, Ejection, InFlight } from './observations.js';

/** The operator's order for a backend. */
export type Order = 'ready' | 'drain' | 'maint';

/** All facts that determine a member's state and identity. Plain data: workers copy their members from it. */
export interface MemberFacts extends BootFacts {
  readonly name: string;
  readonly identity: string;
  readonly url: string;
  /** The host of its pool; empty: the pool of all other hosts. */
  readonly host: string;
  readonly probed: boolean;
  readonly healthy: boolean;
  readonly suspect: boolean;
  readonly ejected: boolean;
  readonly order: Order;
  readonly drained: boolean;
  readonly windowOver: boolean;
  readonly drainEndsMs: number;
  readonly weight: number;
  /** The most requests that it takes at once, in all processes together; 0: no limit. */
  readonly maxconn: number;
  readonly responseMs: number | undefined;
  readonly returnedMs: number;
  /** When it was last found down. */
  readonly downMs: number;
}

/** The state of a member that a successor of this process needs. Plain data. */
export interface MemberSnapshot {
  readonly facts: MemberFacts;
  readonly bound: ReadonlyMap<string, number>;
}

/** Options for a backend that enters the pool. */
export interface Joining {
  /** See `Backend.identity`. Default: the origin of the member. */
  readonly identity?: string;
  /** 1 when absent. */
  readonly weight?: number;
  /** The limit of all backends when absent. */
  readonly maxconn?: number;
  /** See `Backend.responseMs`. */
  readonly responseMs?: number | undefined;
  /** It joins a proxy that already serves. */
  readonly joins?: boolean;
  /** The host of its pool; absent: the pool of all other hosts. */
  readonly host?: string;
}

export interface MemberSettings {
  /** How long a browser that is not seen still counts as bound. */
  readonly boundIdleMs: number;
  readonly now: () => number;
  readonly onEvent: (event: ProxyEvent) => void;
  /** Called when the candidates or a fact of this member may have changed. */
  readonly onStateChange: () => void;
  /** Called when it is ready for the first time since it joined or failed. */
  readonly onReturn?: () => void;
  /** Called when an answer gave the name of a boot, so that other processes learn it. */
  readonly onLearnt?: ((incarnation: string, asked: number) => void) | undefined;
}

/**
 * One backend of the pool. Its state is never set directly. It follows from the health checks, the operator's order and
 * the ejection. So no sequence of these can leave a wrong state behind.
 */
export class Member implements Backend {
  readonly name: string;
  readonly identity: string;
  readonly url: URL;
  readonly host: string;
  readonly inFlight = new InFlight();
  readonly bound: BoundBrowsers;
  readonly ejection = new Ejection();
  /** The drain is over: nothing is left, or the window has passed. */
  drained = false;
  /** The window of the drain has passed: it keeps no browser any more. */
  windowOver = false;
  /** It left the pool, so its later outcomes have no effect. */
  removed = false;
  /** Its own limit of concurrent requests, over all processes. Undefined: the limit of all backends. */
  ownMaxconn: number | undefined;
  /** The limit that holds; 0: none. */
  maxconn = 0;
  responseMs: number | undefined;
  /** The part of the limit for this process. */
  slotsMax = Number.POSITIVE_INFINITY;
  /** The number of requests that wait for it in other processes. */
  queuedElsewhere = 0;
  /** When its drain window ends, by the wall clock. */
  drainEndsMs = 0;
  /** When its slow start began, by the wall clock; 0: never. */
  returnedMs = 0;
  /** The number of requests that other processes have in flight on it. */
  inFlightElsewhere = 0;
  #state: BackendState = 'down';
  #suspect = false;
  #weight: number;
  /** The part of its weight that it takes. */
  #part = 1;
  #share: number;
  /** Its caches are empty, so it needs a slow start. */
  #cold: boolean;
  readonly #boots = new Boots();
  #downMs = 0;
  #healthy = false;
  #probed = false;
  #ejected = false;
  #order: Order = 'ready';
  readonly #settings: MemberSettings;

  constructor(name: string, url: URL, settings: MemberSettings, joining: Joining = {}) {
    const { identity = url.origin, weight = 1, maxconn, responseMs, joins = false, host = '' } = joining;
    this.ownMaxconn = maxconn;
    this.host = host;
    this.responseMs = responseMs;
    this.name = name;
    this.identity = identity;
    this.url = url;
    this.bound = new BoundBrowsers(settings.boundIdleMs, settings.onLearnt !== undefined);
    this.#weight = weight;
    this.#share = weight;
    this.#cold = joins;
    this.#settings = settings;
  }

  /** In flight in this process and in others. */
  get inFlightAnywhere(): number {
    return this.inFlight.size + this.inFlightElsewhere;
  }

  /** Whether it can take one more request. */
  get hasSlot(): boolean {
    return this.inFlight.size < this.slotsMax;
  }

  get state(): BackendState {
    return this.#state;
  }

  /** A connection was refused or broke, or a probe failed. It gets no new bindings until a probe succeeds. */
  get suspect(): boolean {
    return this.#suspect;
  }

  set suspect(suspect: boolean) {
    if (suspect === this.#suspect) return;
    this.#suspect = suspect;
    this.#settings.onStateChange();
  }

  /** From 0 (takes nothing new) to `weightMax`. */
  get weight(): number {
    return this.#weight;
  }

  set weight(weight: number) {
    this.#weight = weight;
    this.#share = weight * this.#part;
    this.#settings.onStateChange();
  }

  get share(): number {
    return this.#share;
  }

  /** Sets the part of its weight that it takes from now on. */
  warm(part: number): void {
    this.#part = part;
    this.#share = this.#weight * part;
  }

  get incarnation(): string {
    return this.#boots.facts.incarnation;
  }

  /** The number of boots seen, for `learn`. */
  get boot(): number {
    return this.#boots.facts.boot;
  }

  /** See `Boots`. */
  countFrom(boot: number): void {
    this.#boots.countFrom(boot, this.#settings.now());
  }

  /** The boot name for a cookie. Empty if the backend gives none, because other proxies count differently. */
  get bootName(): string {
    const { selfNamed, incarnation } = this.#boots.facts;
    return selfNamed ? incarnation : '';
  }

  /** Whether a browser bound to `bootName` at `issuedMs` was bound to the present boot. */
  isBoot(bootName: string, issuedMs: number): boolean {
    return this.#boots.isPresent(bootName, issuedMs);
  }

  get order(): Order {
    return this.#order;
  }

  /**
   * Whether the browsers bound to it may go on using it. An ejected backend answers, and holds their sessions: one client
   * can cause its failures.
   */
  get keepsBound(): boolean {
    return this.#state === 'ready' || this.#state === 'ejected' || (this.#state === 'draining' && !this.windowOver);
  }

  obey(order: Order): void {
    this.#order = order;
    this.drained = false;
    this.windowOver = false;
    if (order === 'maint') this.#cold = true;
    this.#updateState(order === 'ready' ? 'taken back by the operator' : `${order} by the operator`);
  }

  /** Marks it as up after enough successful probes. If it gave no boot name, this counts as a new boot. */
  up(reason: string): void {
    if (this.#probed && !this.#healthy && this.#boots.countOn(this.#downMs)) this.#startBoot();
    this.#probed = true;
    this.#healthy = true;
    this.suspect = false;
    this.#clearEjection();
    this.#updateState(reason);
  }

  down(reason: string): void {
    this.#downMs = this.#settings.now();
    this.#probed = true;
    this.#healthy = false;
    this.#cold = true;
    this.#updateState(reason);
  }

  eject(ejected: boolean, reason: string): void {
    this.#ejected = ejected;
    if (ejected) this.#cold = true;
    this.#updateState(reason);
  }

  /** Learns the boot name from an answer or a health check. `asked`: the boot known when it was sent. */
  learn(given: string | undefined, asked = this.boot): void {
    const learnt = this.#boots.learn(given, asked, this.#settings.now());
    if (learnt === undefined) return;
    if (learnt === 'another boot') this.#startBoot();
    this.#settings.onStateChange();
    this.#settings.onLearnt?.(this.incarnation, asked);
  }

  get facts(): MemberFacts {
    const { name, identity, url, host, suspect, drained, windowOver, drainEndsMs, weight, maxconn, returnedMs } = this;
    const { responseMs } = this;
    return {
      ...this.#boots.facts,
      name,
      identity,
      url: url.origin,
      host,
      probed: this.#probed,
      healthy: this.#healthy,
      suspect,
      ejected: this.#ejected,
      order: this.#order,
      drained,
      windowOver,
      drainEndsMs,
      weight,
      maxconn,
      responseMs,
      returnedMs,
      downMs: this.#downMs,
    };
  }

  /** Takes over another process's facts. */
  adopt(facts: MemberFacts, reason = 'as the primary says'): void {
    this.#downMs = facts.downMs;
    if (this.#boots.adopt(facts)) this.bound.clear();
    this.#probed = facts.probed;
    this.#healthy = facts.healthy;
    this.#ejected = facts.ejected;
    this.#order = facts.order;
    this.suspect = facts.suspect;
    this.ownMaxconn = facts.maxconn;
    this.responseMs = facts.responseMs;
    this.drained = facts.drained;
    this.windowOver = facts.windowOver;
    this.drainEndsMs = facts.drainEndsMs;
    this.weight = facts.weight;
    this.returnedMs = facts.returnedMs;
    // The other process has already decided about the slow start.
    this.#cold = false;
    // Failures from before the ejection do not count after it.
    if (facts.ejected) this.ejection.recordSuccess();
    this.#updateState(reason);
  }

  #startBoot(): void {
    this.#cold = true;
    // Its memory is empty, so earlier bindings are void.
    this.bound.clear();
    this.#settings.onEvent({ kind: 'incarnation', backend: this.name, incarnation: this.incarnation });
    this.#clearEjection();
    this.#updateState('a new boot');
  }

  /** Ends the ejection: the failures were those of the previous process. */
  #clearEjection(): void {
    this.ejection.recordSuccess();
    this.#ejected = false;
  }

  #updateState(reason: string): void {
    const from = this.#state;
    this.#state = this.#computeState();
    if (this.#cold && this.#state === 'ready') this.#return();
    this.#settings.onStateChange();
    if (from === this.#state) return;
    this.#settings.onEvent({ kind: 'backend', backend: this.name, from, to: this.#state, reason });
  }

  #return(): void {
    this.#cold = false;
    this.#settings.onReturn?.();
  }

  #computeState(): BackendState {
    if (this.#order === 'maint' || !this.#healthy) return 'down';
    if (this.#order === 'drain') return 'draining';
    return this.#ejected ? 'ejected' : 'ready';
  }
}
