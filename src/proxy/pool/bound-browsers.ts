/** Above this limit the browser seen longest ago is forgotten. */
const browsersMax = 100_000;

/**
 * The browsers bound to one backend, as far as this proxy has seen them: those whose cookie came back. A browser is
 * identified by the random id in its cookie, which every refresh keeps.
 */
export class BoundBrowsers {
  /** Maps browser to the time last seen; the oldest entry comes first. */
  readonly #seen = new Map<string, number>();
  readonly #idleMs: number;
  /** Changes since `takeNews` was last called: time last seen, or undefined for a forgotten browser. */
  #news: Map<string, number | undefined> | undefined;

  /** A browser not seen for `idleMs` is no longer bound: its cookie has expired. */
  constructor(idleMs: number, keepsNews = false) {
    this.#idleMs = idleMs;
    if (keepsNews) this.#news = new Map();
  }

  /** Precise to a hundredth of the idle time, which saves work for a busy browser. */
  see(browser: string, nowMs: number): void {
    const seenMs = this.#seen.get(browser);
    if (seenMs !== undefined && nowMs - seenMs < this.#idleMs / 100) return;
    this.#seen.delete(browser);
    this.#seen.set(browser, nowMs);
    this.#news?.set(browser, nowMs);
    if (this.#seen.size > browsersMax) this.#dropFirst();
  }

  forget(browser: string): void {
    this.#seen.delete(browser);
    this.#news?.set(browser, undefined);
  }

  clear(): void {
    this.#seen.clear();
    this.#news?.clear();
  }

  /** Returns the changes for `add` in a process that counts for several. Empty unless `keepsNews` is set. */
  takeNews(): ReadonlyMap<string, number | undefined> {
    const news = this.#news ?? new Map<string, undefined>();
    if (news.size > 0) this.#news = new Map();
    return news;
  }

  /** Returns all browsers, for the process that takes over, with the time last seen. */
  get all(): ReadonlyMap<string, number> {
    return this.#seen;
  }

  add(news: ReadonlyMap<string, number | undefined>): void {
    for (const [browser, seenMs] of news) {
      if (seenMs === undefined) this.forget(browser);
      else this.see(browser, seenMs);
    }
  }

  count(nowMs: number): number {
    for (const [browser, seenMs] of this.#seen) {
      if (nowMs - seenMs <= this.#idleMs) break;
      this.#seen.delete(browser);
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
