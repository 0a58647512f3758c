import { readdirSync, readFileSync } from 'node:fs';
import { buildAddressKey } from '../shared/addresses.js';

/*
 * The limits that keep a flood of clients bounded: the connections of this process, and the connections and requests of
 * each client address.
 */

/** The division of the file descriptors of one process. */
interface DescriptorPlan {
  /** Connections of clients. Any more are closed at once, so that the others are still served. */
  readonly clients: number;
  /** Connections to the admin API. */
  readonly admin: number;
  readonly filesMax: number;
}

/** Limits memory in a flood of connections. */
const clientsMax = 65_536;
const adminMax = 64;
const adminMin = 8;
/** Health checks, the access log, the modules that are loaded late, and connections that are being turned away. */
const spare = 12;
/** Each client may need a connection to a backend. More are hardly ever in use at the same moment. */
const backendsMax = 4096;

/**
 * Divides the descriptors of a process. `filesMax` is its limit of open files, `openNow` the number that it has open
 * already. Clients are refused first: a backend, the log and the admin API can be reached while the port is flooded.
 */
export function planDescriptors(filesMax: number, openNow: number): DescriptorPlan {
  const admin = Math.max(adminMin, Math.min(adminMax, Math.floor(filesMax / 8)));
  const free = filesMax - openNow - spare - admin;
  const forBackends = Math.min(backendsMax, Math.floor(free / 2));
  const clients = Math.max(1, Math.min(clientsMax, free - forBackends));
  return { clients, admin, filesMax };
}

let plan: DescriptorPlan | undefined;

/** Returns the plan for this process. The limit is read once. Without `/proc` only the limits of memory hold. */
export function ownDescriptorPlan(): DescriptorPlan {
  plan ??= readPlan();
  return plan;
}

function readPlan(): DescriptorPlan {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const filesMax = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
    return planDescriptors(filesMax, readdirSync('/proc/self/fd').length);
  } catch {
    return planDescriptors(Number.POSITIVE_INFINITY, 0);
  }
}

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
