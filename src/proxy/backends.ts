/**
 * `ready` takes every request. `draining` keeps its bound browsers and takes no new ones. `ejected` does the same
 * for a while after several failures in a row. `down` failed its health checks or was put into maintenance.
 */
export type BackendState = 'ready' | 'draining' | 'down' | 'ejected';

export const weightMax = 1000;
export const weightExpected = `a whole number from 0 (takes nothing new) to ${weightMax}`;

export function isWeight(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= weightMax;
}

/** One server process behind the proxy, as the dispatcher, the policies and the engine see it. */
export interface Backend {
  /** Its name for people. A backend without a name of its own is called after its place: `backend-1`, `backend-2`. */
  readonly name: string;
  /**
   * What cookies and hashes know it by: the name that it was given, or else its origin. It does not depend on the order
   * of the backends, so all proxies agree on it.
   */
  readonly identity: string;
  /** Origin only, for example `http://127.0.0.1:3001`. */
  readonly url: URL;
  readonly state: BackendState;
  /** Its part of the traffic relative to the others: its weight, or less during slow start. */
  readonly share: number;
  /**
   * The name of this boot. The backend gives it in the header `holdfast-incarnation` of an answer or a health check.
   * Otherwise the proxy counts how often the backend came up again. A new incarnation has lost its in-memory sessions.
   */
  readonly incarnation: string;
  /** Its own time from the end of a request to the head of the answer. Undefined: that of the engine's limits. */
  readonly responseMs?: number | undefined;
  /** Exchanges that wait for this backend or receive its answer. */
  readonly inFlight: { readonly size: number };
}

/** A backend as the operator sees it. */
export interface BackendView {
  readonly name: string;
  /** The host of its pool; absent: the pool of all other hosts. */
  readonly host?: string;
  readonly url: string;
  readonly state: BackendState;
  readonly incarnation: string;
  /** Requests in flight on it. */
  readonly inFlight: number;
  /** The most requests that it takes at once; 0: no limit. */
  readonly maxconn: number;
  /** Requests of its bound browsers that wait because it is full. */
  readonly queued: number;
  /** Browsers that are bound to it. */
  readonly bound: number;
  readonly weight: number;
  /** Its part of the traffic relative to the others: its weight, or less during slow start. */
  readonly share: number;
  /**
   * The drain is over: no bound browser is left, or the window has passed. With nothing in flight it can be stopped.
   */
  readonly drained: boolean;
}
