import { buildAddressKey } from '../../shared/client-address.js';

/** Limits memory in a flood from many addresses. The addresses that came first are forgotten then. */
const addressesMax = 65_536;

/** A bucket refills within this time, so an older one is full, which is the same as none. */
const refillMs = 1000;

/**
 * Takes a token from a bucket that holds `perSecond` tokens and refills at that rate. A bucket is one number: the time at
 * which it is full. Returns the new number, and the time to wait for a token; 0: it was taken.
 */
export function takeToken(fullAtMs: number, nowMs: number, perSecond: number): { fullAtMs: number; waitMs: number } {
  const nextMs = Math.max(fullAtMs, nowMs) + refillMs / perSecond;
  // A rounding error must not cost the last token of the burst.
  const waitMs = nextMs - nowMs - refillMs;
  return waitMs > 1e-6 ? { fullAtMs, waitMs } : { fullAtMs: nextMs, waitMs: 0 };
}

/** Limits the requests of each client address, with one token bucket for each. */
export class RequestRates {
  readonly #perSecond: number;
  readonly #tableMax: number;
  /** The buckets by address: those that were used since `#sinceMs`, and those of the time before. */
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number, tableMax = addressesMax) {
    this.#perSecond = perSecond;
    this.#tableMax = tableMax;
  }

  /** The number of addresses that are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Returns how long this client must wait before it may send another request; 0: it may now. */
  admit(address: string, nowMs: number): number {
    if (nowMs - this.#sinceMs >= refillMs || this.#young.size >= this.#tableMax / 2) this.#rotate(nowMs);
    const key = buildAddressKey(address);
    const { fullAtMs, waitMs } = takeToken(this.#young.get(key) ?? this.#old.get(key) ?? 0, nowMs, this.#perSecond);
    this.#young.set(key, fullAtMs);
    return waitMs;
  }

  #rotate(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#sinceMs = nowMs;
  }
}

/** Counts the open connections of each client address. */
export class ConnectionCounts {
  readonly #counts = new Map<string, number>();

  /** The number of addresses with open connections. */
  get size(): number {
    return this.#counts.size;
  }

  /** Counts one connection, and returns the function that ends it. Undefined: `max` are open already. */
  open(address: string, max: number): (() => void) | undefined {
    const key = buildAddressKey(address);
    const count = this.#counts.get(key) ?? 0;
    if (count >= max) return undefined;
    this.#counts.set(key, count + 1);
    return () => this.#close(key);
  }

  #close(key: string): void {
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }
}
