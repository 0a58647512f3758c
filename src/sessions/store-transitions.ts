import type { StoreTransition } from './session-store.js';

/** The kinds of call that a server can refuse separately. A server that is out of memory refuses writes and accepts
 * removals. */
export type Kind = 'reads' | 'writes' | 'removals';

/** A quiet time after a refusal. A server that is nearly full refuses a large item and accepts a small one right after
 * it. */
const quietMs = 1_000;

/** Reports each change between serving and not serving once. */
export class StoreTransitions {
  readonly #tell: (edge: StoreTransition) => void;
  #connection: 'starting' | 'up' | 'down' = 'starting';
  /** The refused kinds, each with the time of the last refusal. */
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
