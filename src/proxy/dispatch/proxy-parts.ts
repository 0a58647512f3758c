import type { Affinity } from '../affinity/binding.js';
import type { Exchange } from '../exchange.js';
import type { BackendPool } from '../pool/pool.js';
import type { RoutingPolicy } from '../routing-policy.js';
import type { ProxyMetrics } from '../telemetry/metrics.js';
import type { ServedRequest } from '../telemetry/served-request.js';
import type { OwnAnswer } from './own-answers.js';

/** Everything that a dispatcher is built from. */
export interface ProxyParts {
  readonly pool: BackendPool;
  readonly policy: RoutingPolicy;
  /** Undefined: affinity is off. Any backend serves any browser, and cookies are not read. */
  readonly affinity: Affinity | undefined;
  readonly metrics: ProxyMetrics;
  /** Whether each answer names the backend that gave it. */
  readonly namesBackends: boolean;
  readonly now: () => number;
  /** Returns the answer to a request that exceeds a limit of its client. Absent: there is no limit. */
  readonly refuseOverLimit?: ((exchange: Exchange) => OwnAnswer | undefined) | undefined;
  /** Returns the id of a request. Absent: requests have none. */
  readonly nameRequest?: ((exchange: Exchange) => string) | undefined;
  /** Called once per request, after its last byte. If it is undefined, nothing is recorded. */
  readonly onServed?: ((request: ServedRequest) => void) | undefined;
}
