import type { Exchange } from '../exchange.js';
import type { Member } from './member.js';

export type DrainEnd = 'empty' | 'window';

export interface DrainSettings {
  readonly now: () => number;
  /** When other processes serve: updates `inFlightElsewhere` and the bound browsers of every member. */
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
