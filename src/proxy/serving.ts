import { unknownName } from '../unknown-name.js';
import { Affinity } from './affinity.js';
import { AffinityCookies } from './affinity-cookie.js';
import type { Crew } from './crew.js';
import { engines } from './engines/registry.js';
import type { Engine, Exchange } from './exchange.js';
import { Front } from './front.js';
import type { Member } from './member.js';
import { type ProxyCounts, ProxyMetrics } from './metrics.js';
import type { ProxyOptions } from './options.js';
import type { BackendPool } from './pool.js';
import { Heart } from './proxy.js';
import { routingPolicies } from './routing-policies/registry.js';
import { trustedPeers } from './trusted-peers.js';

/** What serving needs to know. Plain data: it can be sent to another process. */
export type ServingOptions = Omit<ProxyOptions, 'admin' | 'backends' | 'health' | 'drainMs' | 'onEvent'>;

/** Serves: front door, engine, heart, affinity. It probes nothing and obeys nobody; it reads the states of the pool. */
export class Serving implements Crew {
  readonly #options: ServingOptions;
  readonly #metrics = new ProxyMetrics();
  readonly #affinity: Affinity | undefined;
  readonly #engine: Engine;
  readonly #front: Front;
  #listening = false;

  /** Throws for an unknown engine or policy and for an unusable key ring. */
  constructor(options: ServingOptions, pool: BackendPool) {
    this.#options = options;
    const policy = named('routing policy', options.policy, routingPolicies).make(Math.random);
    const affinity = affinityOf(options, pool);
    this.#affinity = affinity;
    const namesBackends = options.namesBackends ?? false;
    const heart = new Heart({ pool, policy, affinity, metrics: this.#metrics, namesBackends, now: Date.now });
    const { make } = named('engine', options.engine, engines);
    const onExchange = (exchange: Exchange) => void heart.serve(exchange);
    const { limits, backendTls, forwarded = false } = options;
    this.#engine = make({ onExchange, limits, backendTls, forwarded });
    this.#front = new Front(connection => this.#engine.take(connection), { isTrusted: trustedPeers(options.trusted) });
  }

  async listen(): Promise<{ readonly port: number }> {
    const bound = await this.#front.listen(this.#options.host, this.#options.port);
    this.#listening = true;
    return bound;
  }

  join(member: Member): void {
    this.#affinity?.join(member);
  }

  /** Who decides in the same process shares the members. */
  tell(): void {}

  leave(): void {}

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  counts(): readonly ProxyCounts[] {
    return [this.#metrics.counts];
  }

  async close(graceMs: number): Promise<void> {
    if (!this.#listening) return;
    this.#front.close();
    await this.#engine.close(graceMs);
  }
}

function affinityOf({ affinity }: ServingOptions, pool: BackendPool): Affinity | undefined {
  return affinity && new Affinity(new AffinityCookies(affinity), affinity.onLost, pool);
}

function named<T>(kind: string, name: string, registry: Record<string, T>): T {
  const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (entry === undefined) throw new TypeError(unknownName(kind, name, Object.keys(registry)));
  return entry;
}
