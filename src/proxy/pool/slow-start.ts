import type { Member } from './member.js';

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
