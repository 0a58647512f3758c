import { unknownName } from '../shared/unknown-name.js';
import { AffinityCookies } from './affinity/affinity-cookie.js';
import type { Affinity } from './affinity/binding.js';
import { CookieAffinity } from './affinity/cookie-affinity.js';
import { LearnedAffinity } from './affinity/learned-affinity.js';
import { LearnedBindings } from './affinity/learned-bindings.js';
import { engines } from './engines/registry.js';
import type { Engine, EngineAnswer, Exchange, Http2Refusal } from './exchange.js';
import { Frontend } from './front/frontend.js';
import { buildTrustList, type IsTrusted } from './headers/trusted-peers.js';
import { RequestRates } from './limits/address-limits.js';
import type { ServingOptions } from './options.js';
import { buildTooMany, type OwnAnswer } from './own-answers.js';
import { endAllTunnels } from './pool/drains.js';
import type { Member } from './pool/member.js';
import type { BackendPool } from './pool/pool.js';
import { RequestDispatcher } from './proxy.js';
import { routingPolicies } from './routing-policies/registry.js';
import { hashKeyExpected, parseHashKey, type RoutingPolicy } from './routing-policy.js';
import { describeEngineAnswer } from './served-request.js';
import type { AccessLog } from './telemetry/access-log.js';
import { ProxyMetrics } from './telemetry/metrics.js';
import { type ProxyCounts, readVitals } from './telemetry/proxy-counts.js';
import { buildRequestNamer } from './telemetry/request-id.js';
import type { TrafficServer } from './traffic-server.js';

/** Everything that decides about a request. A reload replaces it as a whole. */
interface RoutingSetup {
  readonly dispatcher: RequestDispatcher;
  readonly affinity: Affinity | undefined;
  readonly isTrusted: IsTrusted;
  readonly connectionsPerAddressMax: number;
}

/** Serves requests with frontend, engine, dispatcher and affinity. It does not probe; it reads the pool's states. */
export class Serving implements TrafficServer {
  readonly #options: ServingOptions;
  readonly #pool: BackendPool;
  readonly #metrics = new ProxyMetrics();
  /** A reload keeps it. */
  readonly #learned = new LearnedBindings();
  #setup: RoutingSetup;
  #log: AccessLog | undefined;
  /** Lines lost by logs that are closed. */
  #lostLines = 0;
  readonly #engine: Engine;
  readonly #front: Frontend;
  /** Never resolves: a failure here ends this process. */
  readonly failed = new Promise<never>(() => {});
  #listening = false;

  /** Throws for an unknown engine or policy, an unusable key ring, and an invalid TLS pair. */
  constructor(options: ServingOptions, pool: BackendPool) {
    this.#options = options;
    this.#pool = pool;
    this.#setup = this.#buildSetup(options);
    const { make, http2 } = findEntry('engine', options.engine, engines);
    const onExchange = (exchange: Exchange) => void this.#setup.dispatcher.serve(exchange);
    const { limits, backendTls, forwarded = false } = options;
    const isTrusted: IsTrusted = address => this.#setup.isTrusted(address);
    const onEngineAnswer = (answer: EngineAnswer) => this.#recordEngineAnswer(answer);
    const onHttp2Refused = (reason: Http2Refusal) => this.#metrics.http2Refused(reason);
    this.#engine = make({ onExchange, onEngineAnswer, limits, backendTls, forwarded, isTrusted, onHttp2Refused });
    this.#front = new Frontend(connection => this.#engine.take(connection), {
      isTrusted,
      tls: options.tls,
      http2: http2 && (options.http2 ?? true),
      proxyProtocol: options.proxyProtocol ?? false,
      proxyHeaderMs: limits.clientHeadMs,
      countOpen: () => this.#engine.connections,
      connectionsPerAddressMax: () => this.#setup.connectionsPerAddressMax,
      onTurnedAway: reason => this.#metrics.turnedAway(reason),
    });
  }

  async listen(): Promise<{ readonly port: number }> {
    this.#log = await openLog(this.#options);
    const bound = await this.#front.listen(this.#options.host, this.#options.port);
    this.#listening = true;
    return bound;
  }

  join(member: Member): void {
    this.#setup.affinity?.join(member);
  }

  /** Requests in flight finish under the rules that were in force when they arrived. */
  async reload(options: ServingOptions): Promise<void> {
    const setup = this.#buildSetup(options);
    const log = await openLog(options);
    await this.#reloadTls(options).catch(async error => {
      await log?.close();
      throw error;
    });
    const before = this.#log;
    for (const member of this.#pool.members) setup.affinity?.join(member);
    this.#setup = setup;
    this.#log = log;
    await before?.close();
    this.#lostLines += before?.lost ?? 0;
  }

  async #reloadTls({ tls }: ServingOptions): Promise<void> {
    if (tls !== undefined) this.#front.reloadTls(tls);
  }

  /** No-op: the control shares the members with this process. */
  update(_member: Member): void {}

  leave(_member: Member): void {}

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  counts(): readonly [ProxyCounts] {
    const { counts } = this.#metrics;
    const lostLogLines = this.#lostLines + (this.#log?.lost ?? 0);
    Object.assign(counts.vitals, readVitals(), {
      lostLogLines,
      connections: this.#engine.connections,
      queued: this.#pool.queue.length,
    });
    return [counts];
  }

  async close(graceMs: number): Promise<void> {
    if (!this.#listening) return;
    this.#front.close();
    // Their clients must not all connect again at the same moment, when the grace period ends.
    endAllTunnels(this.#pool.members, graceMs);
    await this.#engine.close(graceMs);
    await this.#log?.close();
  }

  /** The line of an exchange is written when the exchange is over. */
  #recordEngineAnswer(answer: EngineAnswer): void {
    this.#metrics.engineAnswer(answer);
    if (!answer.inExchange) this.#log?.write(describeEngineAnswer(answer));
  }

  #buildSetup(options: ServingOptions): RoutingSetup {
    const policy = makePolicy(options);
    const affinity = this.#makeAffinity(options);
    const dispatcher = new RequestDispatcher({
      pool: this.#pool,
      policy,
      affinity,
      metrics: this.#metrics,
      namesBackends: options.namesBackends ?? false,
      now: Date.now,
      refuseOverLimit: this.#limitRequests(options),
      nameRequest: buildRequestNamer(options.requestId ?? 'off'),
      onServed: options.accessLog === undefined ? undefined : request => this.#log?.write(request),
    });
    const { connectionsPerAddressMax = 0 } = options;
    return { dispatcher, affinity, isTrusted: buildTrustList(options.trusted), connectionsPerAddressMax };
  }

  #limitRequests({ requestsPerAddressMax = 0 }: ServingOptions) {
    if (requestsPerAddressMax === 0) return undefined;
    const rates = new RequestRates(requestsPerAddressMax);
    return ({ clientAddress }: Exchange): OwnAnswer | undefined => {
      const waitMs = rates.admit(clientAddress, performance.now());
      if (waitMs === 0) return undefined;
      this.#metrics.overLimit('address-rate');
      return buildTooMany(waitMs);
    };
  }

  #makeAffinity({ affinity }: ServingOptions): Affinity | undefined {
    if (affinity?.learnFrom !== undefined) return new LearnedAffinity(affinity, affinity.learnFrom, this.#learned);
    return affinity && new CookieAffinity(new AffinityCookies(affinity), affinity.onLost);
  }
}

/** Loads the log writer only in a proxy that keeps a log. */
async function openLog({ accessLog }: ServingOptions): Promise<AccessLog | undefined> {
  if (accessLog === undefined) return undefined;
  const { AccessLog } = await import('./telemetry/access-log.js');
  return AccessLog.open(accessLog);
}

function makePolicy({ policy, hashKey }: ServingOptions): RoutingPolicy {
  const keyOf = parseHashKey(hashKey);
  if (keyOf === undefined) throw new TypeError(`hash key "${hashKey}": expected ${hashKeyExpected}`);
  return findEntry('routing policy', policy, routingPolicies).make(Math.random, keyOf);
}

function findEntry<T>(kind: string, name: string, registry: Record<string, T>): T {
  const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (entry === undefined) throw new TypeError(unknownName(kind, name, Object.keys(registry)));
  return entry;
}
