import { setTimeout as sleep } from 'node:timers/promises';
import { ownVersion } from '../../shared/package.js';
import { messageOf } from '../../shared/text.js';
import type { BackendView } from '../backends.js';
import { defaultHost, type HostedBackend, listBackends, listPools, speaksTls } from '../hosts.js';
import type { PoolOptions, ProxyEvent, ProxyOptions, ServingOptions } from '../options.js';
import { HealthWatch, type OnProbe } from '../pool/health.js';
import type { Member, MemberSnapshot } from '../pool/member.js';
import { Pools } from '../pool/pools.js';
import {
  type BackendAtStart,
  buildServingOptions,
  type ListeningSocket,
  listLeft,
  noTakeover,
  planBackends,
  type ReplaceableProxy,
  type SocketName,
  type Takeover,
  takeSnapshot,
} from '../restart/takeover.js';
import { formatOrigin } from '../sockets.js';
import { ProxyMetrics } from '../telemetry/metrics.js';
import type { TrafficServer } from '../traffic-server.js';
import type { AdminControl } from './admin.js';
import { BootReports } from './boot-reports.js';
import { isSame, type PoolChange, planPoolChange, planReload, type ReloadPlan } from './reload.js';
import { SideListeners } from './side-listeners.js';

type MakeTrafficServer = (options: ServingOptions, pool: Pools, onEvent: (event: ProxyEvent) => void) => TrafficServer;

/** A backend that changes its boot name all the time is reported this often. */
const bootReportsMs = 10_000;

/** Decides once for the serving part: health checks, operator's orders, events, admin API. It serves no requests. */
export class Control implements AdminControl {
  #options: ProxyOptions;
  readonly #listeners = new Set<(event: ProxyEvent) => void>();
  readonly #watches = new Map<Member, HealthWatch>();
  readonly #pools: Pools;
  readonly #server: TrafficServer;
  #listening = false;
  #givenUp = false;
  readonly #side = new SideListeners(() => this.#options);
  #closed: Promise<void> | undefined;
  #hasSuccessor = false;
  isHandingOver = false;
  readonly #takeover: Takeover;
  /** The options that the serving part has, with the ticket keys. */
  #serving: ServingOptions;
  #reloaded: Promise<void> = Promise.resolve();
  readonly #boots = new BootReports(bootReportsMs, (backend, incarnation, changes) =>
    this.#emit({ kind: 'incarnation', backend, incarnation, changes }),
  );
  readonly #startedMs = Date.now();
  readonly #history = { startedMs: this.#startedMs, reloadedMs: this.#startedMs, reloads: { applied: 0, refused: 0 } };

  /** Throws what `makeTrafficServer` throws. */
  constructor(options: ProxyOptions, makeTrafficServer: MakeTrafficServer, takeover = noTakeover) {
    this.#options = options;
    this.#takeover = takeover;
    this.#serving = buildServingOptions(options, takeover.snapshot);
    this.#listeners.add(options.onEvent);
    const onEvent = (event: ProxyEvent) =>
      event.kind === 'incarnation' ? this.#boots.add(event.backend, event.incarnation) : this.#emit(event);
    const onSuspect = (member: Member) => this.#watches.get(member)?.probeNow();
    this.#pools = new Pools({
      now: Date.now,
      random: Math.random,
      onEvent,
      onSuspect,
      onFacts: member => this.#server.update(member),
      refresh: () => this.refresh(),
    });
    this.#pools.prepare(listPools(options));
    this.#server = makeTrafficServer(this.#serving, this.#pools, onEvent);
  }

  /** Stops waiting for the first health checks: `start` rejects, unless it already listens. */
  giveUp(): void {
    this.#givenUp = true;
    for (const watch of this.#watches.values()) watch.stop();
  }

  async start(): Promise<ReplaceableProxy> {
    const { sockets, snapshot, follow } = this.#takeover;
    await this.#joinFirst();
    for (const binding of snapshot?.bindings ?? []) this.#server.adoptBinding(binding);
    follow?.(binding => this.#server.adoptBinding(binding));
    if (this.#givenUp) throw new Error('cancelled before the port was bound');
    const bound = await this.#server.listen(await sockets.take('traffic', this.#options));
    this.#listening = true;
    await this.#side.start(this, sockets);
    const url = formatOrigin(speaksTls(this.#options) ? 'https' : 'http', bound);
    const { adminUrl, healthUrl, redirectUrl } = this.#side;
    this.#emit({ kind: 'listening', url, adminUrl, healthUrl });
    if (redirectUrl !== undefined) this.#emit({ kind: 'redirecting', url: redirectUrl });
    return {
      url,
      adminUrl,
      failed: this.#server.failed,
      reload: read => this.reload(read),
      beginHandover: () => {
        this.isHandingOver = true;
        return takeSnapshot(this.#options, this.#serving, this.#pools, this.#server.bindings);
      },
      cancelHandover: () => {
        this.isHandingOver = false;
      },
      socketOf: name => this.#socketOf(name),
      onBinding: listener => (this.#server.onBinding = listener),
      close: (graceMs, hasSuccessor) => this.close(graceMs, hasSuccessor),
    };
  }

  /** Adds the first backends, and resolves when each was probed once. */
  async #joinFirst(): Promise<void> {
    const { snapshot } = this.#takeover;
    const listed = listBackends(this.#options);
    const planned: readonly BackendAtStart[] = snapshot === undefined ? listed : planBackends(snapshot, listed);
    const first = planned.filter(({ host }) => this.#pools.has(host));
    if (snapshot !== undefined) this.#pools.restoreLeft(listLeft(snapshot, first));
    await Promise.all(first.map(({ url, snapshot, ...rest }) => this.#join(this.#pools.add(url, rest), snapshot)));
  }

  #socketOf(name: SocketName): ListeningSocket | undefined {
    const { host, port } = this.#options;
    return name === 'traffic' ? { server: this.#server.server, address: { host, port } } : this.#side.socketOf(name);
  }

  reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void> {
    this.#reloaded = this.#reloaded.then(() => this.#reload(read));
    return this.#reloaded;
  }

  close(graceMs = this.#options.graceMs, hasSuccessor = false): Promise<void> {
    this.#closed ??= this.#close(graceMs, hasSuccessor);
    return this.#closed;
  }

  async #close(graceMs: number, hasSuccessor: boolean): Promise<void> {
    const { shutdownDelayMs = 0 } = this.#options;
    this.#hasSuccessor = hasSuccessor;
    await this.refresh();
    const inFlight = this.list().reduce((sum, view) => sum + view.inFlight, 0);
    if (this.#listening) this.#emit({ kind: 'closing', inFlight });
    const handedOver = hasSuccessor ? this.#side.handOver() : undefined;
    if (!hasSuccessor && this.#listening && shutdownDelayMs > 0) {
      this.#server.drainConnections();
      await sleep(shutdownDelayMs);
    }
    await Promise.all([handedOver, this.#server.close(graceMs, hasSuccessor), this.#side.closeRedirect(graceMs)]);
    await this.#side.close();
    for (const watch of this.#watches.values()) watch.stop();
    this.#pools.close();
    this.#boots.close();
  }

  readonly notReady = (): string | undefined => {
    // A successor serves at the same address.
    if (this.#closed !== undefined && !this.#hasSuccessor) return 'closing';
    if (!this.#listening) return 'not listening yet';
    const states = this.#pools.members.map(({ state }) => state);
    if (states.includes('ready')) return undefined;
    const counts = [...new Set(states)].map(state => `${states.filter(other => other === state).length} ${state}`);
    return `no backend is ready: ${counts.join(', ') || 'none is known'}`;
  };

  refresh(): Promise<void> {
    return this.#server.refresh();
  }

  async #reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void> {
    try {
      const plan = planReload(this.#options, await read());
      const change = planPoolChange(this.#pools.members, plan);
      if (this.#closed !== undefined) return;
      this.#pools.prepare(listPools(plan.options));
      const serving = buildServingOptions(plan.options);
      await this.#server.reload(serving);
      this.#serving = serving;
      await this.#apply(plan, change);
      // A worker that reports has seen every earlier message, so no worker uses a removed backend from here on.
      await this.#server.refresh();
      this.#history.reloads.applied += 1;
      this.#history.reloadedMs = Date.now();
      this.#emit({ kind: 'reloaded', changes: plan.changes, needsRestart: plan.needsRestart });
    } catch (error) {
      this.#history.reloads.refused += 1;
      this.#emit({ kind: 'reload-refused', reason: messageOf(error) });
    }
  }

  /** Adds and probes the new backends before it removes the old ones. Even a full exchange leaves no gap. */
  async #apply(
    { options, reweighed, relimited }: ReloadPlan,
    { joining, leaving, adopted }: PoolChange<Member>,
  ): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#options = options;
    const pools = listPools(options);
    this.#pools.change(pools);
    for (const [{ host }, watch] of this.#watches) watch.change(pools.get(host)?.health ?? options.health);
    // A name that moves to another address must be removed first: a name means one backend, here and in every cookie.
    const [first, later] = split(leaving, ({ name }) => joining.some(backend => backend.name === name));
    for (const { name } of first) this.remove(name);
    await Promise.all(joining.map(({ url, ...rest }) => this.#join(this.#pools.add(url, { ...rest, joins: true }))));
    for (const backend of [...reweighed, ...adopted])
      this.#change(backend, member => this.#pools.of(member).weigh(member, backend.weight ?? 1));
    for (const backend of [...relimited, ...adopted])
      this.#change(backend, member => this.#pools.of(member).limit(member, backend));
    for (const { name } of later) this.remove(name);
    // The admin API may have added backends to a pool that is gone.
    for (const { name, host } of this.#pools.members) if (!pools.has(host)) this.remove(name);
    this.#pools.change(pools);
  }

  /** Changes the backend, unless the admin API has removed it. */
  #change(backend: HostedBackend, change: (member: Member) => void): void {
    const member = this.#pools.members.find(each => isSame(backend, each));
    if (member !== undefined) change(member);
  }

  list(): BackendView[] {
    return this.#pools.members.map(member => this.#pools.of(member).view(member));
  }

  setState(name: string, state: 'drain' | 'maint' | 'ready', windowMs?: number): 'done' | 'unknown' {
    const member = this.#pools.find(name);
    if (member === undefined) return 'unknown';
    this.#pools.of(member).obey(member, state, windowMs);
    return 'done';
  }

  setWeight(name: string, weight: number): 'done' | 'unknown' {
    const member = this.#pools.find(name);
    if (member === undefined) return 'unknown';
    this.#pools.of(member).weigh(member, weight);
    return 'done';
  }

  add(url: URL, weight: number, host = defaultHost): BackendView | 'unknown' {
    if (!this.#pools.has(host)) return 'unknown';
    const member = this.#pools.add(url, { weight, joins: true, host });
    void this.#join(member);
    return this.#pools.of(member).view(member);
  }

  remove(name: string): 'done' | 'unknown' {
    const member = this.#pools.remove(name);
    if (member === undefined) return 'unknown';
    this.#server.leave(member);
    this.#watches.get(member)?.stop();
    this.#watches.delete(member);
    return 'done';
  }

  async metrics(): Promise<string> {
    await this.refresh();
    const { engine, queue } = this.#options;
    const facts = { version: ownVersion, engine, queueMax: queue.lengthMax, ...this.#history };
    const all = new ProxyMetrics(() => this.list(), facts);
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
  #join(member: Member, snapshot?: MemberSnapshot): Promise<void> {
    this.#server.join(member);
    if (snapshot !== undefined) this.#pools.of(member).restore(member, snapshot);
    const wasProbed = snapshot?.facts.probed ?? false;
    let isFirst = !wasProbed;
    const onProbe: OnProbe = ({ ok, reason, incarnation }, health, edge) => {
      if (isFirst && !ok) this.#reportAbsent(member, reason);
      isFirst = false;
      member.learn(incarnation);
      member.suspect = !ok;
      if (edge && health.up) this.#pools.of(member).up(member, reason);
      else if (edge) this.#pools.of(member).down(member, reason);
    };
    const known = wasProbed ? { up: snapshot?.facts.healthy ?? false, contrary: 0 } : undefined;
    const { health } = this.#poolOptions(member);
    const watch = new HealthWatch(member.url, health, onProbe, this.#options.backendTls, known);
    this.#watches.set(member, watch);
    return watch.start();
  }

  /** Reports a backend that was never up. Its state never changes, so a wrong address would go unnoticed. */
  #reportAbsent(member: Member, reason: string): void {
    const asked = new URL(this.#poolOptions(member).health.path, member.url).href;
    this.#emit({ kind: 'absent', backend: member.name, asked, reason });
  }

  #poolOptions({ host }: Member): Pick<PoolOptions, 'health'> {
    return listPools(this.#options).get(host) ?? this.#options;
  }
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [first: T[], later: T[]] {
  return [all.filter(isFirst), all.filter(each => !isFirst(each))];
}
