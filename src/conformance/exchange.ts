import type { WireAnswer } from './framing.js';

export type Method = 'GET' | 'POST';

/** One request of a user through the proxy, with what came back. Plain data: a cell is computed from these. */
export interface RawExchange {
  /** Stands in the header `x-exchange`, by which the logs of the backends name the request. */
  readonly id: string;
  readonly user: string;
  /** `before`: it made the state from which the others are judged. `waiting`: it only asked whether a state had come. */
  readonly phase: string;
  readonly method: Method;
  /** The name of the proxy that got it. */
  readonly to: string;
  /** The request line, the header lines and the body, as sent. */
  readonly request: readonly string[];
  readonly answer?: WireAnswer | undefined;
  /** Why there is no whole answer. */
  readonly failure?: 'refused' | 'reset' | 'closed' | 'timeout' | undefined;
}

/** One request that a backend carried out, from its log. */
export interface CarriedOut {
  readonly id: string;
  readonly backend: string;
  /** Names the process: each boot has another one. */
  readonly boot: string;
  readonly method: string;
  readonly url: string;
  /** Whether the process remembered the session of the user. */
  readonly memory: 'new' | 'known' | 'forgotten';
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
  /** The cookies that the backend itself has set in its answer. */
  readonly cookies: readonly string[];
}

/** All that one experiment has recorded. */
export interface Recording {
  readonly exchanges: readonly RawExchange[];
  readonly log: readonly CarriedOut[];
}
