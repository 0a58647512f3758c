import type { StoreTransition } from './session-store.js';

/** The kinds of call that a server can refuse separately. A server that is out of memory refuses writes and accepts
 * removals. */
export type CallKind = 'reads' | 'writes' | 'removals';

/** Time after a refusal before a success counts as recovery. A server that is nearly full may accept a small item right
 * after it refused a large one. */
const quietMs = 1_000;

/** Reports each change between serving and not serving once. */
export class StoreTransitions {
  readonly #report: (transition: StoreTransition) => void;
  #connection: 'starting' | 'up' | 'down' = 'starting';
  #why: string | undefined;
  /** The refused kinds, each with the time of the last refusal. */
  readonly #refusedAtMs = new Map<string, number>();

  constructor(report: ((transition: StoreTransition) => void) | undefined) {
    this.#report = report ?? (() => undefined);
  }

  /** Why the connection is lost. Undefined while it is not. */
  get lostBecause(): string | undefined {
    return this.#connection === 'down' ? this.#why : undefined;
  }

  markUp(): void {
    if (this.#connection === 'down') this.#report({ up: true, why: 'connected again' });
    this.#connection = 'up';
    this.#refusedAtMs.clear();
  }

  markDown(why: string): void {
    if (this.#connection === 'down') return;
    this.#connection = 'down';
    this.#why = why;
    this.#report({ up: false, why });
  }

  markRefused(kind: string, why: string): void {
    const isNews = !this.#refusedAtMs.has(kind);
    this.#refusedAtMs.set(kind, performance.now());
    if (isNews) this.#report({ up: false, why: `it refuses ${kind}: ${why}` });
  }

  markServed(kind: string): void {
    if (this.#refusedAtMs.size === 0 || !this.#hasBeenQuiet(kind)) return;
    this.#refusedAtMs.delete(kind);
    if (this.#refusedAtMs.size === 0) this.#report({ up: true, why: `it takes ${kind} again` });
  }

  #hasBeenQuiet(kind: string): boolean {
    const refusedAtMs = this.#refusedAtMs.get(kind);
    return refusedAtMs !== undefined && performance.now() - refusedAtMs > quietMs;
  }
}
