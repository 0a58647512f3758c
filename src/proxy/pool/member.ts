import type { Backend, BackendState } from '../backends.js';
import type { ProxyEvent } from '../options.js';
import { type BootFacts, Boots } from './boots.js';
import { BoundBrowsers } from './bound-browsers.js';
import { Ejection } from './failure-streak.js';
import { InFlight } from './in-flight.js';

/** What the operator wants of a backend. */
export type Order = 'ready' | 'drain' | 'maint';

/** Everything that a member's state and identity follow from, as plain data: a worker's member is made equal by it. */
export interface MemberFacts extends BootFacts {
  readonly name: string;
  readonly url: string;
  readonly probed: boolean;
  readonly healthy: boolean;
  readonly suspect: boolean;
  readonly ejected: boolean;
  readonly order: Order;
  readonly drained: boolean;
  readonly drainEndsMs: number;
  readonly weight: number;
  readonly returnedMs: number;
}

/** How a backend comes into the pool. */
export interface Joining {
  /** 1 when absent. */
  readonly weight?: number;
  /** It joins a proxy that serves already. */
  readonly joins?: boolean;
}

export interface MemberSettings {
  /** How long a browser that is not seen counts as bound. */
  readonly boundIdleMs: number;
  readonly now: () => number;
  readonly onEvent: (event: ProxyEvent) => void;
  /** Who may take what may have changed, and any of its facts. */
  readonly onStanding: () => void;
  /** It is ready for the first time since it joined or failed. */
  readonly onReturn?: () => void;
  /** An answer told the name of a boot, and others are to hear of it. */
  readonly onLearnt?: ((incarnation: string, asked: number) => void) | undefined;
}

/**
 * One backend of the pool. Its state is never set: it follows from what the health checks say, what the operator wants
 * and whether it is ejected, so that no order of these can leave a wrong one behind.
 */
export class Member implements Backend {
  readonly name: string;
  readonly url: URL;
  readonly inFlight = new InFlight();
  readonly bound: BoundBrowsers;
  readonly ejection = new Ejection();
  /** The drain is over: nothing is left, or the window is. */
  drained = false;
  /** Taken out of the pool: nobody asks any more how it does. */
  removed = false;
  /** When the window of its drain is over, by the wall clock. */
  drainEndsMs = 0;
  /** When it began to start slowly, by the wall clock; 0: never. */
  returnedMs = 0;
  /** What other processes have in flight on it. */
  inFlightElsewhere = 0;
  #state: BackendState = 'down';
  #suspect = false;
  #weight: number;
  /** Which part of its weight it takes. */
  #part = 1;
  #share: number;
  /** What it had in its caches is gone, or was never there. */
  #cold: boolean;
  readonly #boots = new Boots();
  #downMs = 0;
  #healthy = false;
  #probed = false;
  #ejected = false;
  #order: Order = 'ready';
  readonly #settings: MemberSettings;

  constructor(name: string, url: URL, settings: MemberSettings, { weight = 1, joins = false }: Joining = {}) {
    this.name = name;
    this.url = url;
    this.bound = new BoundBrowsers(settings.boundIdleMs, settings.onLearnt !== undefined);
    this.#weight = weight;
    this.#share = weight;
    this.#cold = joins;
    this.#settings = settings;
  }

  /** Here and in other processes. */
  get inFlightAnywhere(): number {
    return this.inFlight.size + this.inFlightElsewhere;
  }

  get state(): BackendState {
    return this.#state;
  }

  /** A connection was refused or broke, or a probe failed: no new bindings until a probe succeeds. */
  get suspect(): boolean {
    return this.#suspect;
  }

  set suspect(suspect: boolean) {
    if (suspect === this.#suspect) return;
    this.#suspect = suspect;
    this.#settings.onStanding();
  }

  /** From 0, which takes nothing new, to `weightMax`. */
  get weight(): number {
    return this.#weight;
  }

  set weight(weight: number) {
    this.#weight = weight;
    this.#share = weight * this.#part;
    this.#settings.onStanding();
  }

  get share(): number {
    return this.#share;
  }

  /** From here on it takes this part of its weight. */
  warm(part: number): void {
    this.#part = part;
    this.#share = this.#weight * part;
  }

  get incarnation(): string {
    return this.#boots.facts.incarnation;
  }

  /** How many boots were seen, for `learn`. */
  get boot(): number {
    return this.#boots.facts.boot;
  }

  /** See `Boots`. */
  countFrom(boot: number): void {
    this.#boots.countFrom(boot, this.#settings.now());
  }

  /** What a cookie says of this boot. Empty without a name of its own: another proxy counts other edges. */
  get bootName(): string {
    const { selfNamed, incarnation } = this.#boots.facts;
    return selfNamed ? incarnation : '';
  }

  /** Whether a browser that was bound to `bootName` at that moment was bound to the boot that is there now. */
  isBoot(bootName: string, issuedMs: number): boolean {
    return this.#boots.isPresent(bootName, issuedMs);
  }

  get order(): Order {
    return this.#order;
  }

  /** Whether the browsers bound to it may go on using it. */
  get keepsBound(): boolean {
    return this.#state === 'ready' || (this.#state === 'draining' && !this.drained);
  }

  obey(order: Order): void {
    this.#order = order;
    this.drained = false;
    if (order === 'maint') this.#cold = true;
    this.#settle(order === 'ready' ? 'taken back by the operator' : `${order} by the operator`);
  }

  /** A probe succeeded often enough. Where no name was given, coming back counts as a new boot. */
  up(reason: string): void {
    if (this.#probed && !this.#healthy && this.#boots.countOn(this.#downMs)) this.#rebooted();
    this.#probed = true;
    this.#healthy = true;
    this.suspect = false;
    this.#pardon();
    this.#settle(reason);
  }

  down(reason: string): void {
    this.#downMs = this.#settings.now();
    this.#probed = true;
    this.#healthy = false;
    this.#cold = true;
    this.#settle(reason);
  }

  eject(ejected: boolean, reason: string): void {
    this.#ejected = ejected;
    if (ejected) this.#cold = true;
    this.#settle(reason);
  }

  /** What an answer or a health check called its boot; `asked` is the one that was known when it was asked. */
  learn(given: string | undefined, asked = this.boot): void {
    const learnt = this.#boots.learn(given, asked, this.#settings.now());
    if (learnt === undefined) return;
    if (learnt === 'another boot') this.#rebooted();
    this.#settings.onStanding();
    this.#settings.onLearnt?.(this.incarnation, asked);
  }

  get facts(): MemberFacts {
    const { name, url, suspect, drained, drainEndsMs, weight, returnedMs } = this;
    return {
      ...this.#boots.facts,
      name,
      url: url.origin,
      probed: this.#probed,
      healthy: this.#healthy,
      suspect,
      ejected: this.#ejected,
      order: this.#order,
      drained,
      drainEndsMs,
      weight,
      returnedMs,
    };
  }

  /** Takes over what another process knows. */
  adopt(facts: MemberFacts): void {
    if (this.#boots.adopt(facts)) this.bound.clear();
    this.#probed = facts.probed;
    this.#healthy = facts.healthy;
    this.#ejected = facts.ejected;
    this.#order = facts.order;
    this.suspect = facts.suspect;
    this.drained = facts.drained;
    this.drainEndsMs = facts.drainEndsMs;
    this.weight = facts.weight;
    this.returnedMs = facts.returnedMs;
    // Whether it starts slowly has been decided, with everything else.
    this.#cold = false;
    // The row that led to an ejection is not counted on when it is over.
    if (facts.ejected) this.ejection.succeeded();
    this.#settle('as the primary says');
  }

  #rebooted(): void {
    this.#cold = true;
    // Its memory is empty: whoever was bound to the boot before is bound to nothing now.
    this.bound.clear();
    this.#settings.onEvent({ kind: 'incarnation', backend: this.name, incarnation: this.incarnation });
    this.#pardon();
    this.#settle('a new boot');
  }

  /** What failed was the process before it. */
  #pardon(): void {
    this.ejection.succeeded();
    this.#ejected = false;
  }

  #settle(reason: string): void {
    const from = this.#state;
    this.#state = this.#follows();
    if (this.#cold && this.#state === 'ready') this.#return();
    this.#settings.onStanding();
    if (from === this.#state) return;
    this.#settings.onEvent({ kind: 'backend', backend: this.name, from, to: this.#state, reason });
  }

  #return(): void {
    this.#cold = false;
    this.#settings.onReturn?.();
  }

  #follows(): BackendState {
    if (this.#order === 'maint' || !this.#healthy) return 'down';
    if (this.#order === 'drain') return 'draining';
    return this.#ejected ? 'ejected' : 'ready';
  }
}
