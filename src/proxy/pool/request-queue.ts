import type { Exchange } from '../exchange.js';
import type { QueueOptions } from '../options.js';
import type { Member } from './member.js';

/** How a wait in the queue ended. */
type QueueResult =
  /** It has a slot of that backend (see `BackendPool.end`). */
  | { readonly kind: 'slot'; readonly member: Member; readonly slot: number }
  /** Its target is lost, or no backend can be used any more. The caller must choose again. */
  | { readonly kind: 'again' }
  /** The queue is full, so the request did not wait. */
  | { readonly kind: 'full' }
  | { readonly kind: 'timeout' }
  /** The client has left. */
  | { readonly kind: 'abandoned' };

interface QueuedRequest {
  readonly exchange: Exchange;
  /** The only backend that may serve it (see `Binding.target`). Undefined: any candidate may. */
  readonly target: Member | undefined;
  readonly tried: readonly Member[];
  /** How long it has already waited in earlier turns. */
  readonly waitedMs: number;
}

/**
 * Bound requests are served as if they had arrived earlier by this part of the time-out. No other backend can serve them.
 * Without a bound on it, one busy browser could keep all new ones out.
 */
const headStart = 0.25;

interface Waiter extends QueuedRequest {
  /** When the wait began, with earlier turns. */
  readonly sinceMs: number;
  /** The boot of its target when the wait began. */
  readonly boot: number | undefined;
  readonly resolve: (result: QueueResult) => void;
  readonly timer: NodeJS.Timeout;
}

/** The part of the pool that the queue uses. */
interface QueuePool {
  readonly members: readonly Member[];
  candidates(tried: readonly Member[]): readonly Member[];
  begin(member: Member, exchange: Exchange): number;
}

/**
 * Requests that wait because their backends are full (`maxconn`). A free slot goes to the request that arrived first,
 * where the requests that are bound to that backend have a head start. No request waits while a backend that may serve it
 * has a free slot.
 */
export class RequestQueue {
  readonly #pool: QueuePool;
  #options: QueueOptions;
  readonly #bound = new Map<Member, Set<Waiter>>();
  readonly #unbound = new Set<Waiter>();
  #length = 0;
  #reviewIsDue = false;

  constructor(pool: QueuePool, options: QueueOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  get length(): number {
    return this.#length;
  }

  /** The number of requests that wait for this backend and no other. */
  lengthFor(member: Member): number {
    return this.#bound.get(member)?.size ?? 0;
  }

  /** Applies to later requests. */
  change(options: QueueOptions): void {
    this.#options = options;
  }

  /** Resolves when the request has a slot, or must not wait any longer. */
  wait(request: QueuedRequest): Promise<QueueResult> {
    const { lengthMax, timeoutMs } = this.#options;
    if (this.#length >= lengthMax) return Promise.resolve({ kind: 'full' });
    return new Promise(resolve => {
      const leftMs = Math.max(0, timeoutMs - request.waitedMs);
      const timer = setTimeout(() => this.#settle(waiter, { kind: 'timeout' }), leftMs);
      const sinceMs = performance.now() - request.waitedMs;
      const waiter: Waiter = { ...request, boot: request.target?.boot, sinceMs, resolve, timer };
      request.exchange.onGone = () => this.#settle(waiter, { kind: 'abandoned' });
      this.#lineOf(request.target).add(waiter);
      this.#length += 1;
    });
  }

  /** Gives free slots of the backend to waiting requests. Call it when a slot has become free. */
  serve(member: Member): void {
    while (this.#length > 0 && member.hasSlot) {
      const next = this.#nextFor(member);
      if (next === undefined) return;
      this.#settle(next, { kind: 'slot', member, slot: this.#pool.begin(member, next.exchange) });
    }
  }

  /**
   * Releases requests whose backend is lost, and serves those that can be served now. Call it when a fact of a backend
   * may have changed. It acts when the present change is complete.
   */
  review(): void {
    if (this.#length === 0 || this.#reviewIsDue) return;
    this.#reviewIsDue = true;
    queueMicrotask(() => {
      this.#reviewIsDue = false;
      this.#releaseLost();
      for (const member of this.#pool.members) this.serve(member);
    });
  }

  /** Ends all waits. */
  close(): void {
    for (const line of [this.#unbound, ...this.#bound.values()]) {
      for (const waiter of line) this.#settle(waiter, { kind: 'abandoned' });
    }
  }

  #releaseLost(): void {
    for (const line of this.#bound.values()) {
      for (const waiter of line) if (hasLostTarget(waiter)) this.#settle(waiter, { kind: 'again' });
    }
    for (const waiter of this.#unbound) {
      if (this.#pool.candidates(waiter.tried).length === 0) this.#settle(waiter, { kind: 'again' });
    }
  }

  #nextFor(member: Member): Waiter | undefined {
    const [bound] = this.#bound.get(member) ?? [];
    const other = this.#firstUnbound(member);
    if (bound === undefined || other === undefined) return bound ?? other;
    return other.sinceMs < bound.sinceMs - headStart * this.#options.timeoutMs ? other : bound;
  }

  #firstUnbound(member: Member): Waiter | undefined {
    for (const waiter of this.#unbound) if (this.#pool.candidates(waiter.tried).includes(member)) return waiter;
    return undefined;
  }

  #lineOf(target: Member | undefined): Set<Waiter> {
    if (target === undefined) return this.#unbound;
    const line = this.#bound.get(target) ?? new Set();
    this.#bound.set(target, line);
    return line;
  }

  #settle(waiter: Waiter, result: QueueResult): void {
    const { target, exchange, timer, resolve } = waiter;
    const line = this.#lineOf(target);
    if (!line.delete(waiter)) return;
    if (target !== undefined && line.size === 0) this.#bound.delete(target);
    this.#length -= 1;
    clearTimeout(timer);
    exchange.onGone = undefined;
    resolve(result);
  }
}

function hasLostTarget({ target, boot }: Waiter): boolean {
  return target !== undefined && (target.removed || !target.keepsBound || target.boot !== boot);
}
