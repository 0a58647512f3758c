import type { StoreTransition } from './session-store.js';

/** What a server can refuse by itself: one without memory takes no writes, and still removals. */
export type Kind = 'reads' | 'writes' | 'removals';

/** A server that is nearly full takes a small item right after it refused a large one: no news. */
const quietMs = 1_000;

/** Tells each change for the worse or the better once. */
export class StoreTransitions {
  readonly #tell: (edge: StoreTransition) => void;
  #connection: 'starting' | 'up' | 'down' = 'starting';
  /** What the server refuses, and when it last did. */
  readonly #refusedAtMs = new Map<string, number>();

  constructor(tell: ((edge: StoreTransition) => void) | undefined) {
    this.#tell = tell ?? (() => undefined);
  }

  wentUp(): void {
    if (this.#connection === 'down') this.#tell({ up: true, why: 'connected again' });
    this.#connection = 'up';
    this.#refusedAtMs.clear();
  }

  wentDown(why: string): void {
    if (this.#connection === 'down') return;
    this.#connection = 'down';
    this.#tell({ up: false, why });
  }

  refused(kind: string, why: string): void {
    const isNews = !this.#refusedAtMs.has(kind);
    this.#refusedAtMs.set(kind, performance.now());
    if (isNews) this.#tell({ up: false, why: `it refuses ${kind}: ${why}` });
  }

  served(kind: string): void {
    if (this.#refusedAtMs.size === 0 || !this.#isQuiet(kind)) return;
    this.#refusedAtMs.delete(kind);
    if (this.#refusedAtMs.size === 0) this.#tell({ up: true, why: `it takes ${kind} again` });
  }

  #isQuiet(kind: string): boolean {
    const refusedAtMs = this.#refusedAtMs.get(kind);
    return refusedAtMs !== undefined && performance.now() - refusedAtMs > quietMs;
  }
}
