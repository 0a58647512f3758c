import type { ModeName } from '../modes.js';
import { caseOfUser } from '../report/html/case-file.js';
import { type StoreUrls, storeNames } from '../shared/stores.js';
import { messageOf } from '../shared/text.js';
import type { Cluster, ProxyBackend } from '../simulator/cluster/cluster.js';
import type { InTurn } from '../simulator/cluster/lab.js';
import { proxyNames } from '../simulator/cluster/proxy.js';
import { type ClusterSpec, listMemberNames, openSystem } from '../simulator/cluster/start-cluster.js';
import type { TargetSystem } from '../simulator/cluster/targets.js';
import { Interrupted } from '../simulator/errors.js';
import type { Strike } from '../simulator/faults/strike.js';
import { LiveCounts } from '../simulator/faults/trigger.js';
import type { ListedRun, MemberRecord, Operation, PhaseName, RunHeader } from '../simulator/history/records.js';
import { randomStream } from '../simulator/plan/random.js';
import { LabHealth, noLab, watchMembers } from '../simulator/run/lab-health.js';
import { RunClock } from '../simulator/run/run-clock.js';
import {
  buildClusterSpec,
  describeSystem,
  drawNonce,
  driverSetup,
  startHeader,
} from '../simulator/run/system-setup.js';
import { type GivenOptions, listLinks } from '../simulator/scenario/applicable-faults.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { Driver } from '../simulator/users/driver.js';
import { LiveHistory } from './live-history.js';
import type { StrikableSide } from './live-session.js';
import { aimFault, faultsFor, LiveStrikes, offersOf, type StruckSystem } from './live-strikes.js';
import { arrivalsMsOf, LiveUsers } from './live-users.js';
import type { OfferView, SideView, StoryReply, StrikeView } from './protocol.js';

const judgeEveryMs = 100;
const judgeBudgetMs = 10;
const watchEveryMs = 250;

export interface LiveRunOptions {
  /** Its arrivals, phases and expectations are not used. */
  readonly scenario: Scenario;
  readonly mode: ModeName;
  readonly seed: number;
  readonly users: number;
  /** On abort, the run stops. */
  readonly signal: AbortSignal;
  /** Versions that the caller knows, for the header. */
  readonly versions?: Readonly<Record<string, string>>;
  readonly inTurn?: InTurn;
  /** Store servers that the user runs. No fault can strike them. */
  readonly storeUrls?: StoreUrls;
}

/** The parts of a system that has started. */
interface Started {
  readonly cluster: Cluster;
  readonly clock: RunClock;
  readonly driver: Driver;
  readonly health: LabHealth;
  readonly users: LiveUsers;
  readonly strikes: LiveStrikes;
}

/**
 * One side of the live lab with a real system, from its start to its end:
 *
 *     start cluster -> users come -> strikes and healings, users come and leave -> stop cluster
 *                   |------------- history, judged ten times a second ----------|
 */
export class LiveRun implements StrikableSide {
  onStrike: (strike: StrikeView, nowMs: number) => void = () => undefined;
  readonly #options: LiveRunOptions;
  readonly #spec: ClusterSpec;
  readonly #system: TargetSystem;
  readonly #links: ReadonlySet<string>;
  readonly #header: RunHeader;
  readonly #history: LiveHistory;
  readonly #counts = new LiveCounts();
  readonly #roles = new Map<string, string>();
  readonly #ending = new AbortController();
  readonly #cleanUps: (() => void)[] = [];
  #started: Started | undefined;
  #starting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #stage: SideView['stage'] = 'starting';
  #problem: string | undefined;
  readonly #note: string | undefined;
  #phase: { readonly name: PhaseName; readonly startMs: number } = { name: 'warmup', startMs: 0 };
  #endMs: number | undefined;
  #offers: { readonly key: string; readonly views: readonly OfferView[] } = { key: '', views: [] };

  constructor(options: LiveRunOptions) {
    this.#options = options;
    const { scenario, mode, storeUrls = {}, signal } = options;
    const { target, backends, proxy } = scenario.system;
    // A strike can start a further backend.
    const system = { ...scenario.system, backends: { ...backends, spare: Math.max(1, backends.spare) } };
    this.#system = {
      ...system,
      isRunning: target !== undefined,
      backends: { ...system.backends, command: backends.own?.command },
      proxy,
    };
    const foreign = storeNames.filter(name => storeUrls[name] !== undefined);
    const links = listLinks(mode, this.#system, foreign);
    this.#links = new Set(links);
    const cluster = buildClusterSpec({ system }, mode, { links, hasSwitches: backends.own === undefined });
    this.#spec = { ...cluster, storeUrls, inTurn: options.inTurn };
    this.#header = buildHeader(options, this.#spec);
    const leftOut = faultsFor(mode, scenario).leftOut.join(' ');
    this.#note = leftOut === '' ? undefined : leftOut;
    this.#history = new LiveHistory({ header: this.#header, onTrim: this.#noteTrim });
    signal.addEventListener('abort', () => void this.stop(), { signal: this.#ending.signal });
  }

  /** Starts the system and lets the users come. The toy shop links to the live lab at this origin. Rejects with
   * `LabError` when the system cannot be started, and with `Interrupted` when the run was stopped meanwhile. */
  start(liveLab?: string): Promise<void> {
    this.#starting ??= this.#start(liveLab);
    return this.#starting;
  }

  view(): SideView {
    const nowMs = this.#now();
    return {
      mode: this.#options.mode,
      stage: this.#stage,
      ...(this.#problem !== undefined && { problem: this.#problem }),
      ...(this.#note !== undefined && { note: this.#note }),
      nowMs,
      ...this.#history.view(nowMs),
      offers: this.#stage === 'running' ? this.#offersNow() : [],
      ...(this.#isShop && this.#started !== undefined && { shopPort: portOf(this.#started.cluster.proxyUrl) }),
    };
  }

  warning(): string | undefined {
    return this.#stage === 'running' ? this.#started?.health.warning() : undefined;
  }

  judgeAll(): void {
    this.#history.judgeAll();
  }

  record(): ListedRun {
    const run = this.#history.record(this.#started?.health.record() ?? noLab);
    const versions = { ...run.header.versions, ...this.#started?.cluster.versions };
    const { name: phase, startMs } = this.#phase;
    const current = { type: 'phase', phase, startMs, endMs: this.#now() } as const;
    return { ...run, header: { ...run.header, versions }, phases: [...run.phases, current] };
  }

  story(user: string): StoryReply | undefined {
    const run = this.#history.record(noLab);
    return caseOfUser({ ...run, operations: this.#history.operationsOf(user) }, user);
  }

  async strike(fault: string, target: string, options: GivenOptions = {}): Promise<string | undefined> {
    if (this.#started === undefined || this.#stage !== 'running') return this.#describeNotRunning();
    const aimed = aimFault(fault, target, options, this.#struckSystem());
    if (typeof aimed === 'string') return aimed;
    return this.#started.strikes.strike(aimed);
  }

  async heal(member: string): Promise<string | undefined> {
    if (this.#started === undefined || this.#stage !== 'running') return this.#describeNotRunning();
    return this.#started.strikes.heal(member);
  }

  setUsers(count: number): void {
    if (this.#stage === 'running') this.#started?.users.setCount(count);
  }

  clear(): void {
    this.#history.trim();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(liveLab: string | undefined): Promise<void> {
    try {
      const cluster = await openSystem(
        this.#isShop ? addLink(this.#spec, liveLab) : this.#spec,
        this.#ending.signal,
        this.#noteMember,
        randomStream(this.#options.seed, 'member-any'),
      );
      if (this.#isOver) await cluster.stop();
      if (this.#isOver) throw new Interrupted();
      this.#begin(cluster);
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#fail(error);
      throw error;
    }
  }

  #begin(cluster: Cluster): void {
    const { scenario, mode, seed, users: count } = this.#options;
    const clock = new RunClock();
    const driver = new Driver({
      ...driverSetup(scenario, cluster, this.#header),
      plan: { users: [] },
      clock,
      onSent: (user, atMs) => this.#history.sent(user, atMs),
      onOperation: this.#noteOperation,
    });
    const users = new LiveUsers({
      scenario,
      seed,
      driver,
      clock,
      onCome: name => this.#history.userAdded(name),
      onLeft: name => this.#history.userLeft(name),
      onBroken: error => this.#fail(error),
    });
    const { warmupMs, baselineMs } = scenario.phases;
    const strikes = new LiveStrikes(scenario, mode, {
      cluster,
      clock,
      counts: this.#counts,
      seed,
      signal: this.#ending.signal,
      endsWithSignal: true,
      onTransition: () => undefined,
      onState: this.#noteStrike,
      proxies: proxyNames(scenario.system.proxy),
      startMs: Math.max(arrivalsMsOf(count), warmupMs + baselineMs),
    });
    const health = new LabHealth(cluster, driver);
    this.#started = { cluster, clock, driver, health, users, strikes };
    this.#watch(cluster);
    const booted = new Set(listMemberNames(this.#spec));
    for (const { name } of cluster.members) if (!booted.has(name)) this.#noteMember(name, 'dead');
    this.#stage = 'running';
    users.setCount(count);
    strikes.runScheduled().catch(error => this.#fail(error));
  }

  #watch(cluster: Cluster): void {
    const judging = setInterval(() => this.#history.judgeSome(judgeBudgetMs), judgeEveryMs);
    const warmup = setTimeout(() => this.#enter('baseline'), arrivalsMsOf(this.#options.users));
    const onBackends = (backends: readonly ProxyBackend[]) =>
      this.#history.bound(new Map(backends.map(({ name, bound }) => [name, bound])));
    const stopWatching = watchMembers(cluster, (member, seen) => this.#noteMember(member, seen.state, seen.role), {
      intervalMs: watchEveryMs,
      ...(this.#header.system?.affinity && { onBackends }),
    });
    this.#cleanUps.push(
      () => clearInterval(judging),
      () => clearTimeout(warmup),
      stopWatching,
    );
  }

  async #stop(): Promise<void> {
    this.#endMs = this.#now();
    if (this.#stage !== 'failed') this.#stage = 'stopping';
    for (const cleanUp of this.#cleanUps) cleanUp();
    await this.#started?.health.close();
    const stopping = this.#started?.cluster.stop();
    this.#ending.abort();
    await Promise.allSettled([this.#starting]);
    // The system may have been started in the meantime.
    await Promise.all([stopping, this.#started?.driver.close(), this.#started?.cluster.stop()]);
    this.#started?.strikes.close();
    if (this.#stage !== 'failed') this.#stage = 'over';
  }

  /** The run as a whole cannot go on. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#stage = 'failed';
    this.#problem = messageOf(error);
    this.stop().catch(reason => {
      this.#problem = `${this.#problem}; and it could not be stopped: ${messageOf(reason)}`;
    });
  }

  get #isOver(): boolean {
    return this.#endMs !== undefined;
  }

  #now(): number {
    return this.#endMs ?? this.#started?.clock.now() ?? 0;
  }

  readonly #noteTrim = (): void => this.#started?.health.clear(this.#now());

  readonly #noteOperation = (operation: Operation): void => {
    if (this.#isOver) return;
    this.#history.operation(operation);
    this.#counts.note(operation);
  };

  /** Without a role, the member keeps its earlier role. */
  readonly #noteMember = (
    member: string,
    state: MemberRecord['state'],
    role: string | undefined = this.#roles.get(member),
  ): void => {
    if (this.#isOver) return;
    if (role !== undefined) this.#roles.set(member, role);
    this.#history.member({ type: 'member', member, atMs: this.#now(), state, ...(role && { role }) });
  };

  readonly #noteStrike = (strike: Strike): void => {
    if (this.#isOver) return;
    this.#enter('faults');
    this.onStrike(this.#history.strike(strike.record, strike.state), this.#now());
  };

  /** Ends the current phase. The first strike begins the phase of the faults, and no phase comes after that. */
  #enter(name: 'baseline' | 'faults'): void {
    const { name: phase, startMs } = this.#phase;
    if (phase === name || phase === 'faults') return;
    const nowMs = this.#now();
    this.#history.phase({ type: 'phase', phase, startMs, endMs: nowMs });
    this.#phase = { name, startMs: nowMs };
  }

  #offersNow(): readonly OfferView[] {
    const struck = this.#struckSystem();
    const key = [...struck.running, ...struck.roles.values(), '/', ...struck.struck].join();
    if (this.#offers.key !== key) this.#offers = { key, views: offersOf(struck) };
    return this.#offers.views;
  }

  /** Whether the system is the toy shop, with a page for a browser. */
  get #isShop(): boolean {
    const { isRunning, backends } = this.#system;
    return !isRunning && backends.command === undefined;
  }

  #struckSystem(): StruckSystem {
    const members = this.#started?.cluster.members ?? [];
    const running = new Set(members.filter(({ isRunning }) => isRunning).map(({ name }) => name));
    const struck = this.#started?.strikes.targets ?? new Set();
    return { mode: this.#options.mode, system: this.#system, running, links: this.#links, roles: this.#roles, struck };
  }

  #describeNotRunning(): string {
    return `the system of mode ${this.#options.mode} is not running: it is ${this.#stage}`;
  }
}

function addLink(spec: ClusterSpec, liveLab: string | undefined): ClusterSpec {
  if (liveLab === undefined) return spec;
  return { ...spec, backends: { ...spec.backends, env: { ...spec.backends.env, SHOP_LIVE_LAB: liveLab } } };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function buildHeader({ scenario, mode, seed, versions }: LiveRunOptions, spec: ClusterSpec): RunHeader {
  return {
    ...startHeader(scenario, mode, seed, versions),
    nonce: drawNonce(),
    system: describeSystem(spec),
    planned: 0,
    faults: [],
    expectations: [],
    live: true,
  };
}
