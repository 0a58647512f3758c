import type { EngineLimits, Exchange } from '../../exchange.js';
import type { Deadlines } from './deadlines.js';
import type { Reads } from './reads.js';
import type { Upstreams } from './upstream.js';
import type { Writes } from './writes.js';

/** What the connections of one engine share. */
export interface Wire {
  readonly onExchange: (exchange: Exchange) => void;
  readonly limits: EngineLimits;
  /** Backends are told the way in a `Forwarded` field too. */
  readonly forwarded: boolean;
  readonly deadlines: Deadlines;
  readonly upstreams: Upstreams;
  readonly reads: Reads;
  readonly writes: Writes;
  /** Clients are told to come back on a new connection. */
  readonly closing: boolean;
}
