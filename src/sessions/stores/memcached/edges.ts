import type { StoreEdge } from '../../session-store.js';

/** What a server can refuse by itself: one without memory takes no writes, and still removals. */
export type Kind = 'reads' | 'writes' | 'removals';

/** Tells each change for the worse or the better once. */
export class Edges {
  readonly #tell: (edge: StoreEdge) => void;
  #connection: 'starting' | 'up' | 'down' = 'starting';
  /** What the server refused when it was last asked for it. */
  readonly #refused = new Set<Kind>();

  constructor(tell: ((edge: StoreEdge) => void) | undefined) {
    this.#tell = tell ?? (() => undefined);
  }

  wentUp(): void {
    if (this.#connection === 'down') this.#tell({ up: true, why: 'connected again' });
    this.#connection = 'up';
    this.#refused.clear();
  }

  wentDown(why: string): void {
    if (this.#connection === 'down') return;
    this.#connection = 'down';
    this.#tell({ up: false, why });
  }

  refused(kind: Kind, why: string): void {
    if (this.#refused.has(kind)) return;
    this.#refused.add(kind);
    this.#tell({ up: false, why: `it refuses ${kind}: ${why}` });
  }

  served(kind: Kind): void {
    if (this.#refused.size === 0 || !this.#refused.delete(kind) || this.#refused.size > 0) return;
    this.#tell({ up: true, why: `it takes ${kind} again` });
  }
}
