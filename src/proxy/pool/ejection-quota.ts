import type { EjectionOptions } from '../options.js';
import type { Member } from './member.js';

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

  /** Keeps at least half in when members leave for other reasons. The member ejected longest ago returns first. */
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
