import { unknownName } from '../unknown-name.js';
import { type AdminControl, type BackendView, startAdmin } from './admin.js';
import { Affinity } from './affinity.js';
import { AffinityCookies } from './affinity-cookie.js';
import { engines } from './engines/registry.js';
import type { Engine, Exchange } from './exchange.js';
import { Front } from './front.js';
import { HealthWatch, type OnProbe } from './health.js';
import type { Member } from './member.js';
import { ProxyMetrics } from './metrics.js';
import type { ProxyEvent, ProxyOptions, RunningProxy } from './options.js';
import { BackendPool } from './pool.js';
import { Heart } from './proxy.js';
import { routingPolicies } from './routing-policies/registry.js';
import { trustedPeers } from './trusted-peers.js';

/** Where each default comes from stands beside it; the caller adds backends, affinity and what it does with events. */
export const defaultProxyOptions = {
  host: '127.0.0.1',
  port: 8080,
  admin: { host: '127.0.0.1', port: 8081, token: undefined },
  engine: 'http-proxy',
  policy: 'round-robin',
  // HAProxy: inter 2000, fall 3, rise 2.
  health: { path: '/health', everyMs: 2000, transitionMs: 500, timeoutMs: 2000, fall: 3, rise: 2 },
  // AWS ALB: 300 s for a target whose sessions are sticky.
  drainMs: 300_000,
  trusted: [],
  limits: {
    connectMs: 1000,
    responseHeadMs: 30_000,
    idleBodyMs: 30_000,
    clientHeadMs: 10_000,
    headerBytesMax: 16 * 1024,
    headerFieldsMax: 100,
    replayBytesMax: 64 * 1024,
  },
} as const satisfies Partial<ProxyOptions>;

/**
 * Resolves when every backend was probed once and the port is bound. Rejects for an unknown engine or policy, an
 * unusable key ring, and with the system's error when a port cannot be bound; nothing is left running then.
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const running = new Running(options);
  try {
    return await running.start();
  } catch (error) {
    await running.close(0);
    throw error;
  }
}

class Running implements AdminControl {
  readonly #options: ProxyOptions;
  readonly #listeners = new Set<(event: ProxyEvent) => void>();
  readonly #watches = new Map<Member, HealthWatch>();
  readonly #pool: BackendPool;
  readonly #metrics: ProxyMetrics;
  readonly #affinity: Affinity | undefined;
  readonly #engine: Engine;
  readonly #front: Front;
  #listening = false;
  #admin: { readonly url: string; close(): Promise<void> } | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#listeners.add(options.onEvent);
    const onEvent = (event: ProxyEvent) => this.#tell(event);
    const boundIdleMs = options.affinity?.idleMs ?? 0;
    const onSuspect = (member: Member) => this.#watches.get(member)?.probeNow();
    const { drainMs } = options;
    this.#pool = new BackendPool({ drainMs, boundIdleMs, now: Date.now, random: Math.random, onEvent, onSuspect });
    this.#metrics = new ProxyMetrics(() => this.list());
    const policy = named('routing policy', options.policy, routingPolicies).make(Math.random);
    const affinity = affinityOf(options, this.#pool);
    this.#affinity = affinity;
    const namesBackends = options.namesBackends ?? false;
    const heart = new Heart({
      pool: this.#pool,
      policy,
      affinity,
      metrics: this.#metrics,
      namesBackends,
      now: Date.now,
    });
    const { make } = named('engine', options.engine, engines);
    const onExchange = (exchange: Exchange) => void heart.serve(exchange);
    const { limits, backendTls, forwarded = false } = options;
    this.#engine = make({ onExchange, limits, backendTls, forwarded });
    this.#front = new Front(connection => this.#engine.take(connection), { isTrusted: trustedPeers(options.trusted) });
  }

  async start(): Promise<RunningProxy> {
    const { backends, host, port, admin } = this.#options;
    await Promise.all(backends.map(({ name, url }) => this.#join(this.#pool.add(url, name))));
    const bound = await this.#front.listen(host, port);
    this.#listening = true;
    if (admin !== undefined) this.#admin = await startAdmin(admin, this);
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`;
    const adminUrl = this.#admin?.url;
    this.#tell({ kind: 'listening', url, adminUrl });
    return { url, adminUrl, close: graceMs => this.close(graceMs) };
  }

  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    const inFlight = this.#pool.members.reduce((sum, member) => sum + member.inFlight.size, 0);
    if (this.#listening) {
      this.#tell({ kind: 'closing', inFlight });
      this.#front.close();
      await this.#engine.close(graceMs);
    }
    await this.#admin?.close();
    for (const watch of this.#watches.values()) watch.stop();
    this.#pool.close();
  }

  list(): BackendView[] {
    return this.#pool.members.map(member => this.#pool.view(member));
  }

  setState(name: string, state: 'drain' | 'maint' | 'ready', windowMs?: number): 'done' | 'unknown' {
    const member = this.#pool.find(name);
    if (member === undefined) return 'unknown';
    this.#pool.obey(member, state, windowMs);
    return 'done';
  }

  add(url: URL): BackendView {
    const member = this.#pool.add(url);
    void this.#join(member);
    return this.#pool.view(member);
  }

  remove(name: string): 'done' | 'unknown' {
    const member = this.#pool.remove(name);
    if (member === undefined) return 'unknown';
    this.#watches.get(member)?.stop();
    this.#watches.delete(member);
    return 'done';
  }

  metrics(): Promise<string> {
    return this.#metrics.text();
  }

  onEvent(listener: (event: ProxyEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(event: ProxyEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Resolves when it was probed once: before that it is down. */
  #join(member: Member): Promise<void> {
    this.#affinity?.join(member);
    const onProbe: OnProbe = ({ ok, reason, incarnation }, standing, edge) => {
      member.learn(incarnation);
      member.suspect = !ok;
      if (edge && standing.up) this.#pool.up(member, reason);
      else if (edge) this.#pool.down(member, reason);
    };
    const watch = new HealthWatch(member.url, this.#options.health, onProbe, this.#options.backendTls);
    this.#watches.set(member, watch);
    return watch.start();
  }
}

function affinityOf({ affinity }: ProxyOptions, pool: BackendPool): Affinity | undefined {
  return affinity && new Affinity(new AffinityCookies(affinity), affinity.onLost, pool);
}

function named<T>(kind: string, name: string, registry: Record<string, T>): T {
  const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (entry === undefined) throw new TypeError(unknownName(kind, name, Object.keys(registry)));
  return entry;
}
