/** Above this limit the browser seen longest ago is forgotten. */
const browsersMax = 100_000;

/**
 * The browsers bound to one backend, as far as this proxy has seen them. A browser is identified by the issue time of
 * its binding. The proxy never issues the same time twice, and the cookie keeps it through every refresh.
 */
export class BoundBrowsers {
  /** Maps issue time to the time last seen; the oldest entry comes first. */
  readonly #seen = new Map<number, number>();
  readonly #idleMs: number;
  /** Changes since `takeNews` was last called: time last seen, or undefined for a forgotten browser. */
  #news: Map<number, number | undefined> | undefined;

  /** A browser not seen for `idleMs` is no longer bound: its cookie has expired. */
  constructor(idleMs: number, keepsNews = false) {
    this.#idleMs = idleMs;
    if (keepsNews) this.#news = new Map();
  }

  /** Precise to a hundredth of the idle time, which saves work for a busy browser. */
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

  /** Returns the changes for `add` in a process that counts for several. Empty unless `keepsNews` is set. */
  takeNews(): ReadonlyMap<number, number | undefined> {
    const news = this.#news ?? new Map<number, undefined>();
    if (news.size > 0) this.#news = new Map();
    return news;
  }

  /** Returns all browsers, for the process that takes over: time of issue to time last seen. */
  get all(): ReadonlyMap<number, number> {
    return this.#seen;
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
