import type { Member } from './member.js';

/** Where a slow start begins: Envoy's `min_weight_percent`. Nothing at all would mean that nobody warms it up. */
const leastPart = 0.1;

/**
 * Which part of its weight a backend takes that came back at `sinceMs`, in (0, 1]: it grows in a straight line. A clock
 * that was set back says nothing about the backend, and holds nothing back.
 */
export function partAfter(nowMs: number, sinceMs: number, slowStartMs: number): number {
  const passedMs = nowMs - sinceMs;
  if (passedMs < 0 || passedMs >= slowStartMs) return 1;
  return leastPart + (1 - leastPart) * (passedMs / slowStartMs);
}

/** Those whose share grows: brought up to date whenever somebody asks, with no timer and, mostly, for nobody. */
export class SlowStart {
  /** From nothing to the whole share; 0: no time. */
  lastsMs: number;
  readonly #now: () => number;
  readonly #growing = new Set<Member>();

  /** `now` in milliseconds, by the wall clock: other processes are told when it began. */
  constructor(lastsMs: number, now: () => number) {
    this.lastsMs = lastsMs;
    this.#now = now;
  }

  begin(member: Member): void {
    member.returnedMs = this.#now();
    this.follow(member);
  }

  /** It may have begun elsewhere. */
  follow(member: Member): void {
    this.#growing.add(member);
    this.goOn();
  }

  forget(member: Member): void {
    this.#growing.delete(member);
  }

  goOn(): void {
    if (this.#growing.size === 0) return;
    const nowMs = this.#now();
    for (const member of this.#growing) {
      const part = partAfter(nowMs, member.returnedMs, this.lastsMs);
      member.warm(part);
      if (part === 1) this.#growing.delete(member);
    }
  }
}
