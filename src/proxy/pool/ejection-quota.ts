import type { Member } from './member.js';

/**
 * Who of a pool is ejected. At least half of those that take anything new stays in: what fails everywhere is the app's
 * failure, not a server's.
 */
export class Ejected {
  readonly #members: readonly Member[];
  readonly #timers = new Map<Member, NodeJS.Timeout>();

  /** `members`: the list that the pool goes on changing. */
  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Does nothing where the pool cannot spare the member. `chance` is in [0, 1). */
  add(member: Member, nowMs: number, chance: number): void {
    if (member.state !== 'ready' || !this.#hasHalf(1)) return;
    const lastsMs = member.ejection.begin(nowMs, chance);
    member.eject(true, `5 failures in a row: out for ${Math.round(lastsMs / 1000)} s`);
    this.forget(member);
    this.#timers.set(
      member,
      setTimeout(() => this.#takeBack(member, 'its ejection is over'), lastsMs),
    );
  }

  /** Whatever else takes members out must not leave less than half either: the longest out comes back first. */
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

  /** Whether half is in when so many go. One that has no weight serves nobody who comes new. */
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
