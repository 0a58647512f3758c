import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { quoteForShell } from '../../../shared/text.js';
import { BootFailed, LabError } from '../../errors.js';
import {
  type ClusterMember,
  describeExit,
  type Exit,
  type LabProcess,
  type MemberState,
  type ShopCounts,
  type StrikeVerb,
} from '../cluster.js';
import { confirmStrike, isGone, isStopped, waitUntil } from '../probe.js';
import type { Janitor, WatchedProcess } from './janitor.js';
import { groupRuns, type Signal, signalFamily, signalGroup } from './process-family.js';
import { LastLines, onLine, type SystemUser, unrefStreams } from './run-program.js';

const readyByDefaultWithinMs = 10_000;
const pollMs = 25;
const answerWithinMs = 1_000;
const termWithinMs = 2_000;
const killWithinMs = 5_000;

/** Specification of one process: how to start it and how to probe it. */
export interface ProcessSpec {
  readonly name: string;
  readonly role: ClusterMember['role'];
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Returns whether the process answers a probe within the time. `at`: the port of a link to it. Never rejects. */
  answers(withinMs: number, at?: number): Promise<boolean>;
  /** Returns its counters. Rejects when it does not answer. */
  counts?(): Promise<ShopCounts>;
  /** Says why it is not ready although it answered the latest probe. */
  whyNotReady?(): string | undefined;
  /** Advice to the user when it does not boot. */
  readonly remedy: string;
  /**
   * Set when its children serve too, as with PostgreSQL. SIGKILL, SIGSTOP and SIGCONT then go to all of them. When such
   * a process gets SIGQUIT, it must end at once, together with its children.
   */
  readonly forks?: true;
  /** Set for a command of the user. It can start processes that serve for it: every signal goes to its whole group. */
  readonly group?: true;
  /** The directory in which it runs and keeps its files. Default: the current directory. */
  readonly directory?: string;
  /** Time limit until it answers. Default: 10 s. */
  readonly readyWithinMs?: number;
  /** The user that it runs as, for a server that refuses to run as root. */
  readonly user?: SystemUser | undefined;
}

/** One boot of the process. */
interface Boot {
  readonly child: ChildProcess;
  readonly lastLines: LastLines;
  readonly exited: Promise<Exit>;
  readonly closed: Promise<unknown>;
  exit: Exit | undefined;
  /** Ids of the children that were killed with it. The next boot waits until they are gone. */
  killed: readonly number[];
  /** True when this process killed it. One fault can kill it while another is starting it. */
  wasKilled: boolean;
}

/** Callbacks that get the events of a member. */
export interface Listeners {
  readonly onState: (member: string, state: MemberState) => void;
  /** Called with each line that the process writes to its standard error. */
  readonly onLine?: ((line: string, member: string) => void) | undefined;
}

const familySignals: ReadonlySet<Signal> = new Set(['SIGKILL', 'SIGSTOP', 'SIGCONT']);

/** Member that is a child process. Its process group is its own, so that a terminal's Ctrl-C does not reach it. */
export class ProcessMember implements LabProcess {
  #spec: ProcessSpec;
  readonly #janitor: Janitor;
  readonly #listeners: Listeners;
  readonly #niceness: number;
  #boot: Boot | undefined;
  #state: MemberState = 'dead';
  #retired = false;

  constructor(spec: ProcessSpec, janitor: Janitor, listeners: Listeners, niceness = 0) {
    this.#niceness = niceness;
    this.#spec = spec;
    this.#janitor = janitor;
    this.#listeners = listeners;
  }

  get name(): string {
    return this.#spec.name;
  }

  get shownAs(): string {
    return this.#spec.name;
  }

  get role(): ClusterMember['role'] {
    return this.#spec.role;
  }

  get port(): number {
    return this.#spec.port;
  }

  get directory(): string | undefined {
    return this.#spec.directory;
  }

  get state(): MemberState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#boot?.exit === undefined ? this.#boot?.child.pid : undefined;
  }

  get isRunning(): boolean {
    return this.pid !== undefined;
  }

  async kill(): Promise<boolean> {
    return this.signal('SIGKILL');
  }

  async stop(): Promise<boolean> {
    return this.signal('SIGTERM');
  }

  async hang(): Promise<boolean> {
    return this.signal('SIGSTOP');
  }

  async resume(): Promise<boolean> {
    return this.signal('SIGCONT');
  }

  reload(): void {
    this.signal('SIGHUP');
  }

  async isHung(): Promise<boolean> {
    return this.pid !== undefined && isStopped(this.pid);
  }

  confirm(verb: StrikeVerb): Promise<string | false> {
    return confirmStrike(this, verb);
  }

  async waitEnd(withinMs: number): Promise<boolean> {
    return (await this.waitExit(withinMs)) !== undefined;
  }

  signal(name: Signal): boolean {
    const { pid } = this;
    if (pid === undefined || this.#boot === undefined) return false;
    if (name === 'SIGKILL') this.#boot.wasKilled = true;
    if (this.#spec.group) return signalGroup(pid, name);
    if (this.#spec.forks === undefined || !familySignals.has(name)) return this.#boot.child.kill(name);
    const reached = signalFamily(pid, name);
    if (name === 'SIGKILL') this.#boot.killed = reached;
    return reached.length > 0;
  }

  async waitExit(withinMs: number): Promise<Exit | undefined> {
    if (this.#boot === undefined) return undefined;
    const timer = new AbortController();
    const timeout = sleep(withinMs, undefined, { signal: timer.signal }).catch(() => undefined);
    const exit = await Promise.race([this.#boot.exited, timeout]);
    timer.abort();
    return exit;
  }

  answers(withinMs: number, at?: number): Promise<boolean> {
    return this.#spec.answers(withinMs, at);
  }

  async counts(): Promise<ShopCounts | undefined> {
    return this.#spec.counts?.().catch(() => undefined);
  }

  describe(): string {
    if (this.#boot === undefined) return 'was not started';
    const { exit, lastLines } = this.#boot;
    const state = exit === undefined ? 'still runs' : describeExit(exit);
    return `${state}\n${lastLines.text('| ')}`.trimEnd();
  }

  mark(state: MemberState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listeners.onState(this.name, state);
  }

  async start(): Promise<void> {
    this.#refuseWhenRetired();
    if (this.#boot === undefined || this.#boot.exit !== undefined) {
      await waitGone(this.#boot?.killed ?? []);
      // It may have been ended during the wait.
      this.#refuseWhenRetired();
      this.#boot = this.#spawn();
    }
    await this.#waitReady(this.#boot);
    this.mark('up');
  }

  #refuseWhenRetired(): void {
    if (this.#retired) throw new LabError(`${this.name} was started while the lab was being stopped`);
  }

  /** Sets what the next start runs. Name and port stay the same. */
  replaceSpec(spec: ProcessSpec): void {
    this.#spec = spec;
  }

  /** Rejects with `LabError` when it has ended. A probe is not enough: another server on its port could answer it. */
  async mustRun(): Promise<void> {
    if (this.#boot?.exit !== undefined) throw await this.#bootFailed(this.#boot, 'the lab was up; it was');
  }

  /** Ends it for good: first with a signal that asks, then with SIGKILL. Idempotent. Resolves when it is gone. */
  async end(): Promise<void> {
    this.#retired = true;
    this.signal('SIGCONT');
    if (!this.signal(this.#spec.forks ? 'SIGQUIT' : 'SIGTERM')) return;
    if ((await this.waitExit(termWithinMs)) !== undefined) return;
    this.signal('SIGKILL');
    await this.waitExit(killWithinMs);
  }

  #spawn(): Boot {
    const { command, args, env, directory, user } = this.#spec;
    const kind = this.#kind();
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(directory === undefined ? {} : { cwd: directory }),
      ...user,
    });
    const { pid } = child;
    if (pid !== undefined) this.#janitor.watch(kind, pid);
    if (pid !== undefined && this.#niceness > 0) lowerPriority(pid, this.#niceness);
    if (this.#listeners.onLine !== undefined) onLine(child.stderr, line => this.#listeners.onLine?.(line, this.name));
    const boot: Boot = {
      child,
      lastLines: new LastLines(20, [child.stdout, child.stderr]),
      exited: kind === 'group' ? exitOf(child).then(exit => endGroup(child, exit)) : exitOf(child),
      closed: once(child, 'close').catch(() => undefined),
      exit: undefined,
      killed: [],
      wasKilled: false,
    };
    void boot.exited.then(exit => {
      boot.exit = exit;
      unrefStreams([child.stdout, child.stderr]);
      if (pid !== undefined) this.#janitor.forget(kind, pid);
      this.mark('dead');
    });
    return boot;
  }

  #kind(): WatchedProcess {
    if (this.#spec.group) return 'group';
    return this.#spec.forks ? 'family' : 'process';
  }

  get #readyWithinMs(): number {
    return this.#spec.readyWithinMs ?? readyByDefaultWithinMs;
  }

  async #waitReady(boot: Boot): Promise<void> {
    const deadline = performance.now() + this.#readyWithinMs;
    while (boot.exit === undefined && performance.now() < deadline) {
      if ((await this.answers(answerWithinMs)) && boot.exit === undefined) return;
      await Promise.race([sleep(pollMs), boot.exited]);
    }
    // Two faults that collide are no failure of the lab: the fault that killed it also heals it.
    if (boot.wasKilled) throw new Error(`${this.name} was killed by another fault while it was being started`);
    throw await this.#bootFailed(boot);
  }

  async #bootFailed(boot: Boot, beforeWhat = 'it answered'): Promise<BootFailed> {
    // The last lines can still be in the pipe. A grandchild could hold the pipe open for ever.
    if (boot.exit !== undefined) await Promise.race([boot.closed, sleep(500)]);
    const lacking = this.#spec.whyNotReady?.();
    const silent = lacking === undefined ? `did not answer on port ${this.port}` : `is not ready: ${lacking}`;
    const what =
      boot.exit === undefined
        ? `${silent} within ${this.#readyWithinMs / 1000} s of its start`
        : `${describeExit(boot.exit)} before ${beforeWhat} on port ${this.port}`;
    const command = [this.#spec.command, ...this.#spec.args].map(quoteForShell).join(' ');
    const message = `${this.name} ${what}.\n  started as: ${command}\n${boot.lastLines.text('  | ')}  try: ${this.#spec.remedy}`;
    return new BootFailed(message, this.name, `${what}\n${boot.lastLines.text('| ')}`.trimEnd(), this.port);
  }
}

/** Waits until killed children are gone. Until then they hold shared resources that the next boot needs. */
async function waitGone(pids: readonly number[]): Promise<void> {
  await waitUntil(async () => (await Promise.all(pids.map(isGone))).every(Boolean), killWithinMs);
}

/** Kills the processes that a command has left behind, because its port is needed again. */
async function endGroup({ pid }: ChildProcess, exit: Exit): Promise<Exit> {
  if (pid === undefined) return exit;
  signalGroup(pid, 'SIGKILL');
  await waitUntil(async () => !groupRuns(pid), killWithinMs);
  return exit;
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise(resolve => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', error => {
      if (child.pid === undefined) resolve({ code: null, signal: error.message });
    });
  });
}

/** Raises the niceness of a process. Does nothing when it has already ended or runs as another user. */
function lowerPriority(pid: number, niceness: number): void {
  try {
    setPriority(pid, Math.min(getPriority() + niceness, constants.priority.PRIORITY_LOW));
    // On Linux each session is a scheduling group. Between groups only the niceness of the group counts (sched(7)).
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // It is not essential: the lag of the driver is measured in any case.
  }
}
