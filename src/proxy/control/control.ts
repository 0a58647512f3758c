import { ownVersion } from '../../shared/package-file.js';
import type { BackendView } from '../backends.js';
import { type ProxyEvent, type ProxyOptions, pickServingOptions, type RunningProxy } from '../options.js';
import { HealthWatch, type OnProbe } from '../pool/health.js';
import type { Member } from '../pool/member.js';
import { BackendPool } from '../pool/pool.js';
import { ProxyMetrics } from '../telemetry/metrics.js';
import type { TrafficServer } from '../traffic-server.js';
import { type AdminControl, startAdmin } from './admin.js';
import { BootReports } from './boot-reports.js';
import { startHealthListener } from './health-listener.js';
import { isSame, type PoolChange, planPoolChange, planReload, type ReloadPlan } from './reload.js';

type MakeTrafficServer = (pool: BackendPool, onEvent: (event: ProxyEvent) => void) => TrafficServer;

/** A backend that changes its boot name all the time is reported this often. */
const bootReportsMs = 10_000;

/** Decides once for the serving part: health checks, operator's orders, events, admin API. It serves no requests. */
export class Control implements AdminControl {
  #options: ProxyOptions;
  readonly #listeners = new Set<(event: ProxyEvent) => void>();
  readonly #watches = new Map<Member, HealthWatch>();
  readonly #pool: BackendPool;
  readonly #server: TrafficServer;
  #listening = false;
  #givenUp = false;
  #admin: { readonly url: string; close(): Promise<void> } | undefined;
  #health: { readonly url: string; close(): Promise<void> } | undefined;
  #closed: Promise<void> | undefined;
  #reloaded: Promise<void> = Promise.resolve();
  readonly #boots = new BootReports(bootReportsMs, (backend, incarnation, changes) =>
    this.#emit({ kind: 'incarnation', backend, incarnation, changes }),
  );
  readonly #past = { startedMs: Date.now(), reloadedMs: Date.now(), reloads: { applied: 0, refused: 0 } };

  /** Throws what `makeTrafficServer` throws. */
  constructor(options: ProxyOptions, makeTrafficServer: MakeTrafficServer) {
    this.#options = options;
    this.#listeners.add(options.onEvent);
    const onEvent = (event: ProxyEvent) =>
      event.kind === 'incarnation' ? this.#boots.add(event.backend, event.incarnation) : this.#emit(event);
    const boundIdleMs = options.affinity?.idleMs ?? 0;
    const onSuspect = (member: Member) => this.#watches.get(member)?.probeNow();
    this.#pool = new BackendPool({
      drainMs: options.drainMs,
      ejection: options.ejection,
      boundIdleMs,
      slowStartMs: options.slowStartMs,
      maxconn: options.maxconn,
      queue: options.queue,
      now: Date.now,
      random: Math.random,
      onEvent,
      onSuspect,
      onFacts: member => this.#server.update(member),
      refresh: () => this.refresh(),
    });
    this.#server = makeTrafficServer(this.#pool, onEvent);
  }

  /** Stops waiting for the first health checks: `start` rejects, unless it already listens. */
  giveUp(): void {
    this.#givenUp = true;
    for (const watch of this.#watches.values()) watch.stop();
  }

  async start(): Promise<RunningProxy> {
    const { backends, host, admin, healthListen, tls } = this.#options;
    await Promise.all(backends.map(({ url, ...rest }) => this.#join(this.#pool.add(url, rest))));
    if (this.#givenUp) throw new Error('cancelled before the port was bound');
    const bound = await this.#server.listen();
    this.#listening = true;
    if (admin !== undefined) this.#admin = await startAdmin(admin, this);
    if (healthListen !== undefined) this.#health = await startHealthListener(healthListen, this);
    const url = `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound.port}`;
    const adminUrl = this.#admin?.url;
    this.#emit({ kind: 'listening', url, adminUrl, healthUrl: this.#health?.url });
    const { failed } = this.#server;
    return { url, adminUrl, failed, reload: read => this.reload(read), close: graceMs => this.close(graceMs) };
  }

  reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void> {
    this.#reloaded = this.#reloaded.then(() => this.#reload(read));
    return this.#reloaded;
  }

  close(graceMs = this.#options.graceMs): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    await this.refresh();
    const inFlight = this.list().reduce((sum, view) => sum + view.inFlight, 0);
    if (this.#listening) this.#emit({ kind: 'closing', inFlight });
    await this.#server.close(graceMs);
    await Promise.all([this.#admin?.close(), this.#health?.close()]);
    for (const watch of this.#watches.values()) watch.stop();
    this.#pool.close();
    this.#boots.close();
  }

  readonly notReady = (): string | undefined => {
    if (this.#closed !== undefined) return 'closing';
    if (!this.#listening) return 'not listening yet';
    const states = this.#pool.members.map(({ state }) => state);
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
      const change = planPoolChange(this.#pool.members, plan);
      if (this.#closed !== undefined) return;
      await this.#server.reload(pickServingOptions(plan.options));
      await this.#apply(plan, change);
      this.#past.reloads.applied += 1;
      this.#past.reloadedMs = Date.now();
      this.#emit({ kind: 'reloaded', changes: plan.changes, needsRestart: plan.needsRestart });
    } catch (error) {
      this.#past.reloads.refused += 1;
      this.#emit({ kind: 'reload-refused', reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Adds and probes the new backends before it removes the old ones. Even a full exchange leaves no gap. */
  async #apply(
    { options, reweighed, relimited }: ReloadPlan,
    { joining, leaving, adopted }: PoolChange<Member>,
  ): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#options = options;
    const { drainMs, ejection, slowStartMs, affinity, maxconn, queue } = options;
    this.#pool.change({ drainMs, ejection, slowStartMs, maxconn, queue, boundIdleMs: affinity?.idleMs ?? 0 });
    for (const watch of this.#watches.values()) watch.change(options.health);
    // A name that moves to another address must be removed first: a name means one backend, here and in every cookie.
    const [first, later] = split(leaving, ({ name }) => joining.some(backend => backend.name === name));
    for (const { name } of first) this.remove(name);
    await Promise.all(joining.map(({ url, ...rest }) => this.#join(this.#pool.add(url, { ...rest, joins: true }))));
    for (const backend of [...reweighed, ...adopted])
      this.#change(backend, member => this.#pool.weigh(member, backend.weight ?? 1));
    for (const backend of [...relimited, ...adopted])
      this.#change(backend, member => this.#pool.limit(member, backend));
    for (const { name } of later) this.remove(name);
  }

  /** Changes the backend, unless the admin API has removed it. */
  #change(backend: ProxyOptions['backends'][number], change: (member: Member) => void): void {
    const member = this.#pool.members.find(each => isSame(backend, each));
    if (member !== undefined) change(member);
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

  add(url: URL, weight: number): BackendView {
    const member = this.#pool.add(url, { weight, joins: true });
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
    const { engine, queue } = this.#options;
    const facts = { version: ownVersion, engine, queueMax: queue.lengthMax, ...this.#past };
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
  #join(member: Member): Promise<void> {
    this.#server.join(member);
    let isFirst = true;
    const onProbe: OnProbe = ({ ok, reason, incarnation }, health, edge) => {
      if (isFirst && !ok) this.#reportAbsent(member, reason);
      isFirst = false;
      member.learn(incarnation);
      member.suspect = !ok;
      if (edge && health.up) this.#pool.up(member, reason);
      else if (edge) this.#pool.down(member, reason);
    };
    const watch = new HealthWatch(member.url, this.#options.health, onProbe, this.#options.backendTls);
    this.#watches.set(member, watch);
    return watch.start();
  }

  /** Reports a backend that was never up. It makes no edge, so a wrong address would go unnoticed. */
  #reportAbsent({ name, url }: Member, reason: string): void {
    this.#emit({ kind: 'absent', backend: name, asked: new URL(this.#options.health.path, url).href, reason });
  }
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [first: T[], later: T[]] {
  return [all.filter(isFirst), all.filter(each => !isFirst(each))];
}
