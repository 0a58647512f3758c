import type { Exchange } from '../exchange.js';
import type { EjectionOptions } from '../options.js';
import type { Member } from './member.js';

/* The states of a member that end by themselves: drains, ejections and slow starts. A pool has one of each class. */

type DrainEnd = 'empty' | 'window';

interface DrainSettings {
  readonly now: () => number;
  /** Updates `inFlightElsewhere` and the bound browsers of every member. Undefined: no other process serves. */
  readonly refresh: (() => Promise<void>) | undefined;
  /** A member's facts have changed. */
  readonly onChanged: (member: Member) => void;
  readonly onEnd: (member: Member, reason: DrainEnd) => void;
}

/** A browser leaves without notice, so the bound browsers of a draining backend are counted this often. */
const lookMs = 1000;

/**
 * Runs drains. A drain ends when no browser is bound and nothing is in flight, or when its window is over. A browser that
 * has made a single request is not known to be bound. If it comes back within the window, the backend still serves it.
 */
export class Drains {
  readonly #settings: DrainSettings;
  readonly #timers = new Map<Member, readonly NodeJS.Timeout[]>();
  readonly #tunnelsEnding = new Map<Member, readonly NodeJS.Timeout[]>();

  constructor(settings: DrainSettings) {
    this.#settings = settings;
  }

  /** Starts the drain of a member. A `windowMs` of 0 ends it at once. */
  begin(member: Member, windowMs: number): void {
    member.drainEndsMs = this.#settings.now() + windowMs;
    if (windowMs === 0) return void this.#endWindow(member);
    this.#settings.onChanged(member);
    this.endTunnels(member, windowMs);
    this.#timers.set(member, [
      setTimeout(() => this.#endWindow(member), windowMs),
      setInterval(() => this.look(member), lookMs),
    ]);
    this.look(member);
  }

  /** Ends the drain if nothing is left. */
  look(member: Member): void {
    const { refresh } = this.#settings;
    const drain = this.#timers.get(member);
    if (drain === undefined || member.drained) return;
    if (refresh === undefined) this.#endIfEmpty(member);
    else void refresh().then(() => this.#timers.get(member) === drain && this.#endIfEmpty(member));
  }

  /** Ends the tunnels one by one over the window, so that their clients do not all reconnect at once. */
  endTunnels(member: Member, windowMs: number): void {
    for (const timer of this.#tunnelsEnding.get(member) ?? []) clearTimeout(timer);
    this.#tunnelsEnding.set(member, endSpread(tunnelsOf(member), windowMs));
  }

  stop(member: Member): void {
    for (const timers of [this.#timers, this.#tunnelsEnding]) {
      for (const timer of timers.get(member) ?? []) clearTimeout(timer);
      timers.delete(member);
    }
  }

  #endIfEmpty(member: Member): void {
    if (member.inFlightAnywhere === 0 && member.bound.count(this.#settings.now()) === 0) this.#end(member, 'empty');
  }

  #endWindow(member: Member): void {
    if (member.order !== 'drain') return;
    member.windowOver = true;
    this.stop(member);
    // Ends tunnels that bound browsers opened during the drain.
    for (const tunnel of tunnelsOf(member)) tunnel.endTunnel();
    if (member.drained) this.#settings.onChanged(member);
    else this.#end(member, 'window');
  }

  /** Marks the member as drained. Its state stays `draining` until the operator changes it. */
  #end(member: Member, reason: DrainEnd): void {
    if (member.drained || member.order !== 'drain') return;
    member.drained = true;
    this.#settings.onChanged(member);
    this.#settings.onEnd(member, reason);
  }
}

/** Ends the tunnels of all members one by one over the window. */
export function endAllTunnels(members: readonly Member[], windowMs: number): void {
  for (const timer of endSpread(members.flatMap(tunnelsOf), windowMs)) timer.unref();
}

function endSpread(tunnels: readonly Exchange[], windowMs: number): NodeJS.Timeout[] {
  const apartMs = windowMs / (tunnels.length + 1);
  return tunnels.map((tunnel, at) => setTimeout(() => tunnel.endTunnel(), apartMs * (at + 1)));
}

function tunnelsOf(member: Member): readonly Exchange[] {
  return [...member.inFlight].filter(exchange => exchange.upgrade);
}

/**
 * Tracks the ejected members of a pool. At least half of the members with a weight stay in. A failure on most backends
 * is the app's failure, not a server's.
 */
export class EjectionQuota {
  readonly #members: readonly Member[];
  readonly #timers = new Map<Member, NodeJS.Timeout>();

  /** `members` is the pool's live list. */
  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Ejects the member if the pool can spare it. `chance` is in [0, 1). */
  add(member: Member, nowMs: number, chance: number, options: EjectionOptions): void {
    if (member.state !== 'ready' || !this.#hasHalf(1)) return;
    const lastsMs = member.ejection.begin(nowMs, chance, options);
    const lasts = lastsMs < 1000 ? `${Math.round(lastsMs)} ms` : `${Math.round(lastsMs / 1000)} s`;
    member.eject(true, `${options.after} failures in a row: takes nothing new for ${lasts}`);
    this.forget(member);
    this.#timers.set(
      member,
      setTimeout(() => this.#takeBack(member, 'its ejection is over'), lastsMs),
    );
  }

  /** Ends ejections until at least half of the members are in. Call it after members left for other reasons. The member
   * that was ejected first returns first. */
  keepHalf(): void {
    for (const member of this.#timers.keys()) {
      if (this.#hasHalf(0)) return;
      this.#takeBack(member, 'too few others are left');
    }
  }

  forget(member: Member): void {
    clearTimeout(this.#timers.get(member));
    this.#timers.delete(member);
  }

  #takeBack(member: Member, reason: string): void {
    this.forget(member);
    member.eject(false, reason);
  }

  /** Whether at least half is in after `going` more leave. Members without weight are not counted. */
  #hasHalf(going: number): boolean {
    let all = 0;
    let ready = 0;
    for (const { state, weight } of this.#members) {
      if (weight === 0) continue;
      all += 1;
      if (state === 'ready') ready += 1;
    }
    return ready - going >= all / 2;
  }
}

/** The first part of a slow start: Envoy's `min_weight_percent`. With 0 the backend would never warm up. */
const leastPart = 0.1;

/**
 * Computes the part of its weight, in (0, 1], for a backend that came back at `sinceMs`. It grows linearly. A clock
 * that was set back ends the slow start, because it says nothing about the backend.
 */
export function computePart(nowMs: number, sinceMs: number, slowStartMs: number): number {
  const passedMs = nowMs - sinceMs;
  if (passedMs < 0 || passedMs >= slowStartMs) return 1;
  return leastPart + (1 - leastPart) * (passedMs / slowStartMs);
}

/** Backends in slow start. Shares are updated whenever they are read, so no timer is needed. */
export class SlowStart {
  /** Duration of a slow start; 0: none. */
  lastsMs: number;
  readonly #now: () => number;
  readonly #growing = new Set<Member>();

  /** `now`: milliseconds of the wall clock, because other processes get the start time. */
  constructor(lastsMs: number, now: () => number) {
    this.lastsMs = lastsMs;
    this.#now = now;
  }

  begin(member: Member): void {
    member.returnedMs = this.#now();
    this.track(member);
  }

  /** Updates a member whose slow start may have begun in another process. */
  track(member: Member): void {
    this.#growing.add(member);
    this.update();
  }

  forget(member: Member): void {
    this.#growing.delete(member);
  }

  update(): void {
    if (this.#growing.size === 0) return;
    const nowMs = this.#now();
    for (const member of this.#growing) {
      const part = computePart(nowMs, member.returnedMs, this.lastsMs);
      member.warm(part);
      if (part === 1) this.#growing.delete(member);
    }
  }
}
