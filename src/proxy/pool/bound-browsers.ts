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
  /** What changed since it was taken last: when seen, or undefined for forgotten. */
  #news: Map<number, number | undefined> | undefined;

  /** A browser that was not seen for `idleMs` is bound no longer: its cookie has expired. */
  constructor(idleMs: number, keepsNews = false) {
    this.#idleMs = idleMs;
    if (keepsNews) this.#news = new Map();
  }

  /** To the hundredth of the idle time: that is close enough, and spares a busy browser the work. */
  see(issuedMs: number, nowMs: number): void {
    const seenMs = this.#seen.get(issuedMs);
    if (seenMs !== undefined && nowMs - seenMs < this.#idleMs / 100) return;
    this.#seen.delete(issuedMs);
    this.#seen.set(issuedMs, nowMs);
    this.#news?.set(issuedMs, nowMs);
    if (this.#seen.size > browsersMax) this.#dropFirst();
  }

  forget(issuedMs: number): void {
    this.#seen.delete(issuedMs);
    this.#news?.set(issuedMs, undefined);
  }

  clear(): void {
    this.#seen.clear();
    this.#news?.clear();
  }

  /** For a process that counts what several see: `add` there takes what this gives. Empty unless news are kept. */
  takeNews(): ReadonlyMap<number, number | undefined> {
    const news = this.#news ?? new Map<number, undefined>();
    if (news.size > 0) this.#news = new Map();
    return news;
  }

  add(news: ReadonlyMap<number, number | undefined>): void {
    for (const [issuedMs, seenMs] of news) {
      if (seenMs === undefined) this.forget(issuedMs);
      else this.see(issuedMs, seenMs);
    }
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
