import type { Exchange } from '../exchange.js';
import type { EjectionOptions } from '../options.js';

/*
 * What the proxy observes of one backend. Its member (`member.ts`) has one of each, and its state follows from them.
 */

/** The known facts about the boots of one backend, as plain data. */
export interface BootFacts {
  /** The name of the present boot, from the backend itself or from the proxy's count. */
  readonly incarnation: string;
  /** The number of boots seen. */
  readonly boot: number;
  /** The backend names its boots itself; otherwise the proxy counts them. */
  readonly selfNamed: boolean;
  /** When the backend first gave the name of this boot. */
  readonly namedMs: number;
  /** A browser bound before this was bound to an earlier boot. */
  readonly bornMs: number;
}

/** A valid boot name. It goes into a cookie, so it must be short. */
const bootNameShape = /^[\x21-\x7e]{1,128}$/;

/** Tracks the present boot of a backend. Times are wall-clock times, because cookies carry them to other proxies. */
export class Boots {
  #facts: BootFacts = { incarnation: '1', boot: 1, selfNamed: false, namedMs: 0, bornMs: 0 };

  get facts(): BootFacts {
    return this.#facts;
  }

  /** Sets the first number for a backend that does not name its boots. Called before anything was learnt of it. */
  countFrom(boot: number, nowMs: number): void {
    this.#facts = { ...this.#facts, boot, incarnation: String(boot), bornMs: nowMs };
  }

  /** Counts a boot when a backend was down and is up again, unless it names its boots. Returns whether it counted. */
  countOn(downMs: number): boolean {
    const { selfNamed, incarnation } = this.#facts;
    if (selfNamed) return false;
    // No browser was bound while it was down, except by a proxy that already knew that it was up again.
    this.#become(String(Number(incarnation) + 1), downMs);
    return true;
  }

  /**
   * Learns the name that an answer or a health check gave. A name that cannot go into a cookie is ignored. `asked` is
   * the boot that was known when the request was sent. A process may finish its last answers while its successor
   * already has the port. Such an answer must not count as the newest boot again. Returns undefined when nothing was
   * learnt.
   */
  learn(given: string | undefined, asked: number, nowMs: number): 'its name' | 'another boot' | undefined {
    const { incarnation, boot, selfNamed } = this.#facts;
    if (given === undefined || given === incarnation || !bootNameShape.test(given) || asked !== boot) return undefined;
    this.#facts = { ...this.#facts, selfNamed: true, namedMs: nowMs };
    if (selfNamed) this.#become(given, nowMs);
    else this.#facts = { ...this.#facts, incarnation: given };
    return selfNamed ? 'another boot' : 'its name';
  }

  /**
   * Takes over the facts of another process. Returns whether they name another boot. If this process has just learnt a
   * name, the other process may not know it yet. The facts of the other process are then older, and are ignored.
   */
  adopt({ incarnation, boot, selfNamed, namedMs, bornMs }: BootFacts): boolean {
    const known = this.#facts;
    if (boot < known.boot && incarnation !== known.incarnation) return false;
    this.#facts = { incarnation, boot, selfNamed, namedMs, bornMs };
    return boot > known.boot || (known.selfNamed && incarnation !== known.incarnation);
  }

  /**
   * Whether a browser bound to `name` at `issuedMs` was bound to the present boot. Another proxy may have bound it.
   * Without a name the clock decides. The clock also decides for a name other than the present one. If the browser was
   * bound after this proxy learnt the present name, only the other proxy knows that boot yet.
   */
  isPresent(name: string, issuedMs: number): boolean {
    const { incarnation, selfNamed, namedMs, bornMs } = this.#facts;
    if (name === '' || !selfNamed) return issuedMs > bornMs;
    return name === incarnation || issuedMs > namedMs;
  }

  #become(incarnation: string, bornMs: number): void {
    this.#facts = { ...this.#facts, incarnation, bornMs, boot: this.#facts.boot + 1 };
  }
}

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

/**
 * The exchanges in flight on one backend. Slots are reused, because a Set is too slow here. With thousands of changes
 * per second, V8 often rebuilds the table of a Set. The old tables still refer to ended exchanges, so the
 * young-generation collector cannot free those. Measured cost: a quarter of the CPU time of a request.
 */
export class InFlight implements Iterable<Exchange> {
  readonly #slots: (Exchange | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** Returns the slot to pass to `delete`. */
  add(exchange: Exchange): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = exchange;
    return slot;
  }

  /** Must be called once per slot. */
  delete(slot: number): void {
    this.#slots[slot] = undefined;
    this.#free.push(slot);
  }

  *[Symbol.iterator](): Iterator<Exchange> {
    for (const exchange of this.#slots) if (exchange !== undefined) yield exchange;
  }
}

/** Random part added to an ejection, so that several proxies do not all retry the backend at once. */
const jitter = 0.1;

/**
 * Counts the failures in a row of one backend. `after` failures eject it for n × `forMs`, at most `forMsMax`. `n` counts
 * the ejections since the last `forMsMax` without one.
 */
export class Ejection {
  #failures = 0;
  #times = 0;
  #endedMs = Number.NEGATIVE_INFINITY;

  recordSuccess(): void {
    this.#failures = 0;
  }

  /**
   * Counts a failure. Returns whether there were enough failures in a row to eject the backend. The count keeps growing
   * while the pool cannot spare the backend.
   */
  recordFailure({ after }: Pick<EjectionOptions, 'after'>): boolean {
    this.#failures += 1;
    return after > 0 && this.#failures >= after;
  }

  /** Starts an ejection and returns its duration. `chance` is in [0, 1). */
  begin(nowMs: number, chance: number, { forMs, forMsMax }: Omit<EjectionOptions, 'after'>): number {
    this.#times = nowMs - this.#endedMs > forMsMax ? 1 : this.#times + 1;
    this.#failures = 0;
    const shortestMs = Math.min(forMs * this.#times, forMsMax / (1 + jitter));
    const lastsMs = shortestMs * (1 + jitter * chance);
    this.#endedMs = nowMs + lastsMs;
    return lastsMs;
  }
}
