import type { Server, Socket } from 'node:net';
import { unknownName } from '../shared/unknown-name.js';
import { AffinityCookies } from './affinity/affinity-cookie.js';
import type { Affinity } from './affinity/binding.js';
import { CookieAffinity } from './affinity/cookie-affinity.js';
import { type HandedBinding, type Learned, LearnedAffinity, LearnedBindings } from './affinity/learned-affinity.js';
import { buildTooMany, type OwnAnswer } from './dispatch/own-answers.js';
import type { ProxyParts } from './dispatch/request.js';
import { engines } from './engines/registry.js';
import type { Engine, EngineAnswer, Exchange, Http2Refusal } from './exchange.js';
import { Frontend, type TlsPairs } from './front/frontend.js';
import { buildTrustList, type IsTrusted } from './headers.js';
import { defaultHost, HostMap, poolsToServe } from './hosts.js';
import { RequestRates } from './limits.js';
import type { PoolServingOptions, ServingOptions } from './options.js';
import type { Member } from './pool/member.js';
import type { Pools } from './pool/pools.js';
import { endAllTunnels } from './pool/timed-states.js';
import { RequestDispatcher, RequestRefuser } from './proxy.js';
import { hashKeyExpected, parseHashKey, type RoutingPolicy, routingPolicies } from './routing-policies.js';
import type { BoundAddress, OpenSocket } from './sockets.js';
import type { AccessLog } from './telemetry/access-log.js';
import { ProxyMetrics } from './telemetry/metrics.js';
import { type ProxyCounts, readVitals } from './telemetry/proxy-counts.js';
import { buildRequestNamer, describeEngineAnswer } from './telemetry/served-request.js';
import type { TrafficServer } from './traffic-server.js';

/** Everything that decides about a request. A reload replaces it as a whole. */
interface RoutingSetup {
  /** Gets each request. With one pool it is the dispatcher itself; with several it finds the pool first. */
  readonly serve: (exchange: Exchange) => void;
  /** By the host of the pool. */
  readonly affinities: ReadonlyMap<string, Affinity>;
  readonly isTrusted: IsTrusted;
  readonly connectionsPerAddressMax: number;
}

/** Serves requests with frontend, engine, dispatcher and affinity. It does not probe; it reads the pool's states. */
export class Serving implements TrafficServer {
  readonly #options: ServingOptions;
  readonly #pools: Pools;
  readonly #metrics = new ProxyMetrics();
  /** By the host of the pool. A reload keeps them. */
  readonly #learned = new Map<string, LearnedBindings>();
  onBinding: ((binding: HandedBinding) => void) | undefined;
  #setup: RoutingSetup;
  #log: AccessLog | undefined;
  /** Lines lost by logs that are closed. */
  #lostLines = 0;
  readonly #engine: Engine;
  readonly #front: Frontend;
  /** Never resolves: a failure here ends this process. */
  readonly failed = new Promise<never>(() => {});
  #open = false;

  /** Throws for an unknown engine or policy, an unusable key ring, and an invalid TLS pair. */
  constructor(options: ServingOptions, pools: Pools) {
    this.#options = options;
    this.#pools = pools;
    this.#setup = this.#buildSetup(options);
    const { make, http2 } = findEntry('engine', options.engine, engines);
    const onExchange = (exchange: Exchange) => this.#setup.serve(exchange);
    const { limits, backendTls, forwarded = false } = options;
    const isTrusted: IsTrusted = address => this.#setup.isTrusted(address);
    const onEngineAnswer = (answer: EngineAnswer) => this.#recordEngineAnswer(answer);
    const onHttp2Refused = (reason: Http2Refusal) => this.#metrics.http2Refused(reason);
    this.#engine = make({ onExchange, onEngineAnswer, limits, backendTls, forwarded, isTrusted, onHttp2Refused });
    this.#front = new Frontend(connection => this.#engine.take(connection), {
      isTrusted,
      tls: pickPairs(options),
      http2: http2 && (options.http2 ?? true),
      proxyProtocol: options.proxyProtocol ?? false,
      proxyHeaderMs: limits.clientHeadMs,
      countOpen: () => this.#engine.connections,
      connectionsPerAddressMax: () => this.#setup.connectionsPerAddressMax,
      onTurnedAway: reason => this.#metrics.turnedAway(reason),
    });
  }

  get server(): Server {
    return this.#front.server;
  }

  async listen(socket?: OpenSocket): Promise<BoundAddress> {
    this.#log = await openLog(this.#options);
    const bound = await this.#front.listen(this.#options.host, this.#options.port, socket);
    this.#open = true;
    return bound;
  }

  /** In a worker: opens the log. The primary listens, and its connections come to `take`. */
  async open(): Promise<void> {
    this.#log = await openLog(this.#options);
    this.#open = true;
  }

  take(socket: Socket): void {
    this.#front.take(socket);
  }

  join(member: Member): void {
    joinAffinity(this.#setup, member);
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
    for (const member of this.#pools.members) joinAffinity(setup, member);
    this.#setup = setup;
    this.#log = log;
    await before?.close();
    this.#lostLines += before?.lost ?? 0;
  }

  async #reloadTls(options: ServingOptions): Promise<void> {
    const pairs = pickPairs(options);
    if (pairs !== undefined) this.#front.reloadTls(pairs);
  }

  get bindings(): readonly HandedBinding[] {
    return [...this.#learned].flatMap(([host, table]) => table.list().map(each => toHanded(host, each)));
  }

  adoptBinding({ host, owner: identity, ...rest }: HandedBinding): void {
    const table = this.#learned.get(host);
    if (table === undefined) return;
    const owner = this.#pools.of({ host }).members.find(member => member.identity === identity);
    if (owner !== undefined) table.adopt({ ...rest, owner });
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
      queued: this.#pools.queued,
    });
    return [counts];
  }

  drainConnections(): void {
    this.#engine.drainConnections();
  }

  async close(graceMs: number, hasSuccessor = false): Promise<void> {
    if (!this.#open) return;
    const endsMs = performance.now() + graceMs;
    this.#engine.drainConnections();
    // Their clients must not all connect again at the same moment, when the grace period ends.
    endAllTunnels(this.#pools.members, graceMs);
    if (hasSuccessor) await this.#front.stopAccepting(graceMs);
    this.#front.close();
    await this.#engine.close(Math.max(0, endsMs - performance.now()), hasSuccessor);
    await this.#log?.close();
  }

  /** The line of an exchange is written when the exchange is over. */
  #recordEngineAnswer(answer: EngineAnswer): void {
    this.#metrics.engineAnswer(answer);
    if (!answer.inExchange) this.#log?.write(describeEngineAnswer(answer));
  }

  #buildSetup(options: ServingOptions): RoutingSetup {
    const affinities = new Map<string, Affinity>();
    const dispatchers = new Map<string, RequestDispatcher>();
    const shared = this.#buildSharedParts(options);
    for (const [host, own] of poolsToServe(options)) {
      const affinity = this.#makeAffinity(host, own);
      if (affinity !== undefined) affinities.set(host, affinity);
      const parts = { ...shared, pool: this.#pools.of({ host }), policy: makePolicy(own), affinity };
      dispatchers.set(host, new RequestDispatcher(parts));
    }
    const { connectionsPerAddressMax = 0, trusted } = options;
    const rules = { affinities, isTrusted: buildTrustList(trusted), connectionsPerAddressMax };
    const fallback = dispatchers.get(defaultHost);
    if (fallback !== undefined && dispatchers.size === 1)
      return { ...rules, serve: exchange => void fallback.serve(exchange) };
    const byHost = new HostMap(dispatchers, fallback ?? new RequestRefuser(shared));
    return { ...rules, serve: exchange => void byHost.find(exchange.host)?.serve(exchange) };
  }

  /** Builds what the dispatchers of all pools share: a client is limited over all pools together. */
  #buildSharedParts(options: ServingOptions): Omit<ProxyParts, 'pool' | 'policy' | 'affinity'> {
    return {
      metrics: this.#metrics,
      namesBackends: options.namesBackends ?? false,
      now: Date.now,
      refuseOverLimit: this.#limitRequests(options),
      nameRequest: buildRequestNamer(options.requestId ?? 'off'),
      onServed: options.accessLog === undefined ? undefined : request => this.#log?.write(request),
    };
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

  #makeAffinity(host: string, { affinity }: PoolServingOptions): Affinity | undefined {
    const from = affinity?.learnFrom;
    if (affinity === undefined) return undefined;
    if (from === undefined) return new CookieAffinity(new AffinityCookies(affinity), affinity.onLost);
    const table = this.#learned.get(host) ?? new LearnedBindings();
    this.#learned.set(host, table);
    const onBound = (learned: Learned) => this.onBinding?.(toHanded(host, learned));
    return new LearnedAffinity(affinity, from, table, onBound);
  }
}

function toHanded(host: string, { owner, ...rest }: Learned): HandedBinding {
  return { ...rest, host, owner: owner.identity };
}

function joinAffinity({ affinities }: RoutingSetup, member: Member): void {
  affinities.get(member.host)?.join(member);
}

/** Returns the certificates of all hosts. The first one is for clients that name no host, or an unknown one. */
function pickPairs({ tls, hosts }: ServingOptions): TlsPairs | undefined {
  const own = hosts.flatMap(host => (host.tls === undefined ? [] : [[host.host, host.tls] as const]));
  const fallback = tls ?? own[0]?.[1];
  return fallback && { fallback, byHost: new Map(own) };
}

/** Loads the log writer only in a proxy that keeps a log. */
async function openLog({ accessLog }: ServingOptions): Promise<AccessLog | undefined> {
  if (accessLog === undefined) return undefined;
  const { AccessLog } = await import('./telemetry/access-log.js');
  return AccessLog.open(accessLog);
}

function makePolicy({ policy, hashKey }: PoolServingOptions): RoutingPolicy {
  const keyOf = parseHashKey(hashKey);
  if (keyOf === undefined) throw new TypeError(`hash key "${hashKey}": expected ${hashKeyExpected}`);
  return findEntry('routing policy', policy, routingPolicies).make(Math.random, keyOf);
}

function findEntry<T>(kind: string, name: string, registry: Record<string, T>): T {
  const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (entry === undefined) throw new TypeError(unknownName(kind, name, Object.keys(registry)));
  return entry;
}
