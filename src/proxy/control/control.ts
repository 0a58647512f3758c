import { randomBytes } from 'node:crypto';
import type { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownVersion } from '../../shared/package-file.js';
import type { BackendView } from '../backends.js';
import { defaultHost, type HostedBackend, listBackends, listPools, mapServedHosts, speaksTls } from '../hosts.js';
import {
  type PoolOptions,
  type ProxyEvent,
  type ProxyOptions,
  pickServingOptions,
  type ServingOptions,
} from '../options.js';
import { HealthWatch, type OnProbe } from '../pool/health.js';
import type { Member, MemberPast } from '../pool/member.js';
import { Pools } from '../pool/pools.js';
import { formatOrigin } from '../restart/open-socket.js';
import { type BackendAtStart, keepTickets, listLeft, type ProxyPast, planBackends } from '../restart/past.js';
import { noTakeover, type ReplaceableProxy, type SocketName, type Takeover } from '../restart/takeover.js';
import { ProxyMetrics } from '../telemetry/metrics.js';
import type { TrafficServer } from '../traffic-server.js';
import { type AdminControl, startAdmin } from './admin.js';
import { type RunningRedirect, startRedirect } from './redirect.js';
import { hasBackend, planReload, type ReloadPlan } from './reload.js';

type MakeTrafficServer = (options: ServingOptions, pool: Pools, onEvent: (event: ProxyEvent) => void) => TrafficServer;

/** Decides once for the serving part: health checks, operator's orders, events, admin API. It serves no requests. */
export class Control implements AdminControl {
  #options: ProxyOptions;
  readonly #listeners = new Set<(event: ProxyEvent) => void>();
  readonly #watches = new Map<Member, HealthWatch>();
  readonly #pool: Pools;
  readonly #server: TrafficServer;
  #listening = false;
  #givenUp = false;
  #admin: { readonly url: string; readonly server: Server; close(): Promise<void> } | undefined;
  #redirect: RunningRedirect | undefined;
  #closed: Promise<void> | undefined;
  readonly #takeover: Takeover;
  /** The options that the serving part has, with the ticket keys. */
  #serving: ServingOptions;
  #reloaded: Promise<void> = Promise.resolve();
  readonly #past = { startedMs: Date.now(), reloadedMs: Date.now(), reloads: { applied: 0, refused: 0 } };

  /** Throws what `makeTrafficServer` throws. */
  constructor(options: ProxyOptions, makeTrafficServer: MakeTrafficServer, takeover = noTakeover) {
    this.#options = options;
    this.#takeover = takeover;
    this.#serving = buildServingOptions(options, takeover.past);
    this.#listeners.add(options.onEvent);
    const onEvent = (event: ProxyEvent) => this.#emit(event);
    const onSuspect = (member: Member) => this.#watches.get(member)?.probeNow();
    this.#pool = new Pools({
      now: Date.now,
      random: Math.random,
      onEvent,
      onSuspect,
      onFacts: member => this.#server.update(member),
      refresh: () => this.refresh(),
    });
    this.#pool.prepare(listPools(options));
    this.#server = makeTrafficServer(this.#serving, this.#pool, onEvent);
  }

  /** Stops waiting for the first health checks: `start` rejects, unless it already listens. */
  giveUp(): void {
    this.#givenUp = true;
    for (const watch of this.#watches.values()) watch.stop();
  }

  async start(): Promise<ReplaceableProxy> {
    const { admin } = this.#options;
    const { sockets } = this.#takeover;
    await this.#joinFirst();
    if (this.#givenUp) throw new Error('cancelled before the port was bound');
    const bound = await this.#server.listen(await sockets.take('traffic', this.#options));
    this.#listening = true;
    if (admin !== undefined) this.#admin = await startAdmin(admin, this, await sockets.take('admin', admin));
    await this.#startRedirect();
    const url = formatOrigin(speaksTls(this.#options) ? 'https' : 'http', bound);
    const adminUrl = this.#admin?.url;
    this.#emit({ kind: 'listening', url, adminUrl });
    return {
      url,
      adminUrl,
      failed: this.#server.failed,
      reload: read => this.reload(read),
      past: () => this.past(),
      socketOf: name => this.#socketOf(name),
      close: (graceMs, isSucceeded) => this.close(graceMs, isSucceeded),
    };
  }

  async #startRedirect(): Promise<void> {
    const { redirect, host } = this.#options;
    if (redirect === undefined) return;
    const options = { ...redirect, host };
    const socket = await this.#takeover.sockets.take('redirect', options);
    this.#redirect = await startRedirect(options, () => mapServedHosts(this.#options), socket);
    this.#emit({ kind: 'redirecting', url: formatOrigin('http', { host, port: this.#redirect.port }) });
  }

  /** Adds the first backends, and resolves when each was probed once. */
  async #joinFirst(): Promise<void> {
    const { past } = this.#takeover;
    const listed = listBackends(this.#options);
    const planned: readonly BackendAtStart[] = past === undefined ? listed : planBackends(past, listed);
    const first = planned.filter(({ host }) => this.#pool.has(host));
    if (past !== undefined) this.#pool.restoreLeft(listLeft(past, first));
    await Promise.all(first.map(({ url, past, ...rest }) => this.#join(this.#pool.add(url, rest), past)));
  }

  /** Returns what a successor must know, as it is now. It holds keys. */
  past(): ProxyPast {
    const { tls, hosts } = this.#serving;
    const pairs = [tls, ...hosts.map(host => host.tls)].filter(pair => pair !== undefined);
    return {
      listed: listBackends(this.#options).map(({ name, url, host, weight = 1 }) => ({
        name,
        url: url.origin,
        host,
        weight,
      })),
      members: this.#pool.members.map(({ facts, bound }) => ({ facts, bound: bound.all })),
      left: this.#pool.left,
      tickets: new Map(pairs.flatMap(({ cert, ticketKeys }) => (ticketKeys ? [[cert, ticketKeys] as const] : []))),
    };
  }

  /** Returns the server to hand over, with its configured address. */
  #socketOf(name: SocketName): ReturnType<ReplaceableProxy['socketOf']> {
    const { host, port, admin, redirect } = this.#options;
    if (name === 'traffic') return { server: this.#server.server, address: { host, port } };
    if (name === 'redirect')
      return redirect && this.#redirect && { server: this.#redirect.server, address: { host, port: redirect.port } };
    return admin !== undefined && this.#admin !== undefined
      ? { server: this.#admin.server, address: admin }
      : undefined;
  }

  /** The proxy has begun to close, so load balancers in front should send nothing new. */
  get closing(): boolean {
    return this.#closed !== undefined;
  }

  reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void> {
    this.#reloaded = this.#reloaded.then(() => this.#reload(read));
    return this.#reloaded;
  }

  close(graceMs: number, isSucceeded = false): Promise<void> {
    this.#closed ??= this.#close(graceMs, isSucceeded);
    return this.#closed;
  }

  async #close(graceMs: number, isSucceeded: boolean): Promise<void> {
    const { shutdownDelayMs = 0 } = this.#options;
    await this.refresh();
    const inFlight = this.list().reduce((sum, view) => sum + view.inFlight, 0);
    if (this.#listening) this.#emit({ kind: 'closing', inFlight });
    if (isSucceeded) await this.#admin?.close();
    else if (this.#listening && shutdownDelayMs > 0) {
      this.#server.retire();
      await sleep(shutdownDelayMs);
    }
    await Promise.all([this.#server.close(graceMs, isSucceeded), this.#redirect?.close(graceMs)]);
    await this.#admin?.close();
    for (const watch of this.#watches.values()) watch.stop();
    this.#pool.close();
  }

  refresh(): Promise<void> {
    return this.#server.refresh();
  }

  async #reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void> {
    try {
      const plan = planReload(this.#options, await read());
      const wanted = plan.added.filter(backend => !this.#isHere(backend, plan));
      if (this.#closed !== undefined) return;
      this.#pool.prepare(listPools(plan.options));
      const serving = buildServingOptions(plan.options);
      await this.#server.reload(serving);
      this.#serving = serving;
      await this.#apply(plan, wanted);
      this.#past.reloads.applied += 1;
      this.#past.reloadedMs = Date.now();
      this.#emit({ kind: 'reloaded', changes: plan.changes, needsRestart: plan.needsRestart });
    } catch (error) {
      this.#past.reloads.refused += 1;
      this.#emit({ kind: 'reload-refused', reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Adds and probes the new backends before it removes the old ones. Even a full exchange leaves no gap. */
  async #apply({ options, removed, reweighed }: ReloadPlan, wanted: readonly HostedBackend[]): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#options = options;
    const pools = listPools(options);
    this.#pool.change(pools);
    for (const [{ host }, watch] of this.#watches) watch.change(pools.get(host)?.health ?? options.health);
    // A name that moves to another address must be removed first: a name means one backend, here and in every cookie.
    const [first, later] = split(removed, ({ name }) => wanted.some(backend => backend.name === name));
    for (const backend of first) this.#removeAt(backend);
    await Promise.all(wanted.map(({ url, ...rest }) => this.#join(this.#pool.add(url, { ...rest, joins: true }))));
    for (const { name, weight = 1 } of reweighed) this.setWeight(name, weight);
    for (const backend of later) this.#removeAt(backend);
    // The admin API may have added backends to a pool that is gone.
    for (const { name, host } of this.#pool.members) if (!pools.has(host)) this.remove(name);
    this.#pool.change(pools);
  }

  /** Removes it, unless the admin API already has. */
  #removeAt({ name, url }: HostedBackend): void {
    if (this.#pool.find(name)?.url.origin === url.origin) this.remove(name);
  }

  /** Whether the admin API has already added it to the pool. Throws when another backend has its name. */
  #isHere({ name, url, host }: HostedBackend, { removed }: ReloadPlan): boolean {
    const staying = this.#pool.members.filter(member => !hasBackend(removed, member));
    const twin = staying.find(other => other.host === host && other.url.origin === url.origin);
    const namesake = staying.find(other => other.name === name);
    if (namesake !== undefined && namesake !== twin) {
      throw new TypeError(
        `${name} is the name of ${namesake.url.origin}, which the admin API added: give ${url.origin} another one`,
      );
    }
    return twin !== undefined;
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

  setWeight(name: string, weight: number): 'done' | 'unknown' {
    const member = this.#pool.find(name);
    if (member === undefined) return 'unknown';
    this.#pool.weigh(member, weight);
    return 'done';
  }

  add(url: URL, weight: number, host = defaultHost): BackendView | 'unknown' {
    if (!this.#pool.has(host)) return 'unknown';
    const member = this.#pool.add(url, { weight, joins: true, host });
    void this.#join(member);
    return this.#pool.view(member);
  }

  remove(name: string): 'done' | 'unknown' {
    const member = this.#pool.remove(name);
    if (member === undefined) return 'unknown';
    this.#server.leave(member);
    this.#watches.get(member)?.stop();
    this.#watches.delete(member);
    return 'done';
  }

  async metrics(): Promise<string> {
    await this.refresh();
    const { engine } = this.#options;
    const all = new ProxyMetrics(() => this.list(), { version: ownVersion, engine, ...this.#past });
    for (const counts of this.#server.counts()) all.add(counts);
    return all.text();
  }

  onEvent(listener: (event: ProxyEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: ProxyEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Resolves after the first probe; until then the member is down. */
  #join(member: Member, past?: MemberPast): Promise<void> {
    this.#server.join(member);
    if (past !== undefined) this.#pool.restore(member, past);
    const wasProbed = past?.facts.probed ?? false;
    let isFirst = !wasProbed;
    const onProbe: OnProbe = ({ ok, reason, incarnation }, health, edge) => {
      if (isFirst && !ok) this.#reportAbsent(member, reason);
      isFirst = false;
      member.learn(incarnation);
      member.suspect = !ok;
      if (edge && health.up) this.#pool.up(member, reason);
      else if (edge) this.#pool.down(member, reason);
    };
    const known = wasProbed ? { up: past?.facts.healthy ?? false, contrary: 0 } : undefined;
    const { health } = this.#poolOptions(member);
    const watch = new HealthWatch(member.url, health, onProbe, this.#options.backendTls, known);
    this.#watches.set(member, watch);
    return watch.start();
  }

  /** Reports a backend that was never up. It makes no edge, so a wrong address would go unnoticed. */
  #reportAbsent(member: Member, reason: string): void {
    const asked = new URL(this.#poolOptions(member).health.path, member.url).href;
    this.#emit({ kind: 'absent', backend: member.name, asked, reason });
  }

  #poolOptions({ host }: Member): Pick<PoolOptions, 'health'> {
    return listPools(this.#options).get(host) ?? this.#options;
  }
}

/**
 * Adds keys for session tickets. Workers and a successor need the same: a client that returns to another process would
 * need a full handshake there.
 */
function buildServingOptions(options: ProxyOptions, past?: ProxyPast): ServingOptions {
  const serving = pickServingOptions(options);
  const ticketKeys = randomBytes(48);
  const add = (pair: ServingOptions['tls']) => {
    if (pair === undefined) return undefined;
    const own = { ...pair, ticketKeys };
    return past === undefined ? own : keepTickets(own, past);
  };
  return { ...serving, tls: add(serving.tls), hosts: serving.hosts.map(host => ({ ...host, tls: add(host.tls) })) };
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [first: T[], later: T[]] {
  return [all.filter(isFirst), all.filter(each => !isFirst(each))];
}
