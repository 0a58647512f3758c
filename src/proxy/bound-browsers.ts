/** More browsers than this are not told apart: the one seen longest ago is forgotten first. */
const browsersMax = 100_000;

/**
 * The browsers that are bound to one backend, as far as this proxy has seen them. A browser is known by the moment
 * its binding was issued: the proxy issues no moment twice, and the cookie carries it through every refresh.
 */
export class BoundBrowsers {
  /** From the moment of issue to when it was last seen; the one seen longest ago stands first. */
  readonly #seen = new Map<number, number>();
  readonly #idleMs: number;

  /** A browser that was not seen for `idleMs` is bound no longer: its cookie has expired. */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** To the hundredth of the idle time: that is close enough, and spares a busy browser the work. */
  see(issuedMs: number, nowMs: number): void {
    const seenMs = this.#seen.get(issuedMs);
    if (seenMs !== undefined && nowMs - seenMs < this.#idleMs / 100) return;
    this.#seen.delete(issuedMs);
    this.#seen.set(issuedMs, nowMs);
    if (this.#seen.size > browsersMax) this.#dropFirst();
  }

  forget(issuedMs: number): void {
    this.#seen.delete(issuedMs);
  }

  clear(): void {
    this.#seen.clear();
  }

  count(nowMs: number): number {
    for (const [issuedMs, seenMs] of this.#seen) {
      if (nowMs - seenMs <= this.#idleMs) break;
      this.#seen.delete(issuedMs);
    }
    return this.#seen.size;
  }

  #dropFirst(): void {
    for (const first of this.#seen.keys()) {
      this.#seen.delete(first);
      return;
    }
  }
}
