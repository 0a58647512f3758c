/**
 * `ready` takes everything; `draining` keeps the browsers bound to it and takes no new ones; `ejected` is out for a
 * while after a row of 5xx; `down` failed its health checks (or was put into maintenance).
 */
export type BackendState = 'ready' | 'draining' | 'down' | 'ejected';

export const weightMax = 1000;
export const weightExpected = `a whole number from 0 (takes nothing new) to ${weightMax}`;

export function isWeight(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= weightMax;
}

/** One server process behind the proxy, as the heart, the policies and the engine see it. */
export interface Backend {
  /** `backend-1`, `backend-2`, … in the order given: what the operator calls it. */
  readonly name: string;
  /** Origin only, for example `http://127.0.0.1:3001`. */
  readonly url: URL;
  readonly state: BackendState;
  /** How much it is to take beside the others: its weight, and less than that while it starts slowly. */
  readonly share: number;
  /**
   * One boot of this backend: what it calls itself (header `holdfast-incarnation` of an answer or a health check),
   * else a count kept by the proxy of its down-to-up edges. A new incarnation has forgotten its in-memory sessions.
   */
  readonly incarnation: string;
  /** Exchanges that wait for this backend or are being answered by it. */
  readonly inFlight: { readonly size: number };
}

/** A backend as the operator sees it. */
export interface BackendView {
  readonly name: string;
  readonly url: string;
  readonly state: BackendState;
  readonly incarnation: string;
  /** Requests that it is answering. */
  readonly inFlight: number;
  /** Browsers that are bound to it. */
  readonly bound: number;
  readonly weight: number;
  /** What it takes beside the others: its weight, or less while it starts slowly. */
  readonly share: number;
  /** It was draining, and nobody is left or the window is over; once nothing is in flight it can be stopped. */
  readonly drained: boolean;
}
