import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { BootFailed, LabError } from '../../errors.js';
import type { ClusterMember, MemberState, ShopCounts } from '../cluster.js';
import { type Exit, exitInWords } from '../cluster.js';
import { eventually, isGone } from '../probe.js';
import type { Janitor, WatchedProcess } from './janitor.js';
import { LastLines, onLine, unrefStreams } from './last-lines.js';
import { groupRuns, type Signal, signalFamily, signalGroup } from './process-family.js';

const readyByDefaultWithinMs = 10_000;
const pollMs = 25;
const answerWithinMs = 1_000;
const termWithinMs = 2_000;
const killWithinMs = 5_000;

/** How one process is started and asked. */
export interface ProcessSpec {
  readonly name: string;
  readonly role: ClusterMember['role'];
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Asks the process whether it answers within the time, at its own port or through a link at another; never rejects. */
  answers(withinMs: number, at?: number): Promise<boolean>;
  /** Asks it what it has counted; rejects when it does not answer. */
  counts?(): Promise<ShopCounts>;
  /** Says what its latest answer lacked, where it answered and is not ready. */
  whyNotReady?(): string | undefined;
  /** What to try when it does not boot. */
  readonly remedy: string;
  /**
   * Its children serve too, as PostgreSQL's do: what kills or stops it strikes them all. Such a process must end at once,
   * with them, at SIGQUIT.
   */
  readonly forks?: true;
  /** A command of the user's, which may start others that serve for it: every signal goes to its whole group. */
  readonly group?: true;
  /** Where it is run, and keeps its files if it has some; the current directory when absent. */
  readonly directory?: string;
  /** How long it may take to answer; 10 s when absent. */
  readonly readyWithinMs?: number;
  /** Who it runs as, for a server that refuses to be root. */
  readonly user?: SystemUser | undefined;
}

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** One boot of the process. */
interface Boot {
  readonly child: ChildProcess;
  readonly lastLines: LastLines;
  readonly exited: Promise<Exit>;
  readonly closed: Promise<unknown>;
  exit: Exit | undefined;
  /** The children that were killed with it: the next boot waits until they are gone. */
  killed: readonly number[];
  /** It was killed from here, by one fault while another was starting it perhaps. */
  struck: boolean;
}

/** Who wants to know what. */
export interface Listeners {
  readonly onState: (member: string, state: MemberState) => void;
  /** A line that the process wrote to its standard error. */
  readonly onLine?: ((line: string, member: string) => void) | undefined;
}

const familySignals: ReadonlySet<Signal> = new Set(['SIGKILL', 'SIGSTOP', 'SIGCONT']);

/** A member that is a child process in a process group of its own, so that a terminal's Ctrl-C does not reach it. */
export class ProcessMember implements ClusterMember {
  readonly #spec: ProcessSpec;
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

  signal(name: Signal): boolean {
    const { pid } = this;
    if (pid === undefined || this.#boot === undefined) return false;
    if (name === 'SIGKILL') this.#boot.struck = true;
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
    const state = exit === undefined ? 'still runs' : exitInWords(exit);
    return `${state}\n${lastLines.text('| ')}`.trimEnd();
  }

  mark(state: MemberState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listeners.onState(this.name, state);
  }

  async start(): Promise<void> {
    if (this.#retired) throw new LabError(`${this.name} was to be started while the lab was being stopped`);
    if (this.#boot === undefined || this.#boot.exit !== undefined) {
      await waitGone(this.#boot?.killed ?? []);
      this.#boot = this.#spawn();
    }
    await this.#waitReady(this.#boot);
    this.mark('up');
  }

  /** Rejects with `LabError` when it has ended. Another server on its port may answer in its place. */
  async mustRun(): Promise<void> {
    if (this.#boot?.exit !== undefined) throw await this.#bootFailed(this.#boot, 'the lab was up; it was');
  }

  /** Ends it for good: asks, then forces. Idempotent; resolves when the process is gone. */
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
      struck: false,
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
    // Two faults in each other's way are no failure of the lab: who struck it heals it too.
    if (boot.struck) throw new Error(`${this.name} was killed by another fault while it was being started`);
    throw await this.#bootFailed(boot);
  }

  async #bootFailed(boot: Boot, beforeWhat = 'it answered'): Promise<BootFailed> {
    // The last words may still be in the pipe; a grandchild could hold it open for ever.
    if (boot.exit !== undefined) await Promise.race([boot.closed, sleep(500)]);
    const lacking = this.#spec.whyNotReady?.();
    const silent = lacking === undefined ? `did not answer on port ${this.port}` : `is not ready: ${lacking}`;
    const what =
      boot.exit === undefined
        ? `${silent} within ${this.#readyWithinMs / 1000} s of its start`
        : `${exitInWords(boot.exit)} before ${beforeWhat} on port ${this.port}`;
    const command = [this.#spec.command, ...this.#spec.args].join(' ');
    const message = `${this.name} ${what}.\n  started as: ${command}\n${boot.lastLines.text('  | ')}  try: ${this.#spec.remedy}`;
    return new BootFailed(message, this.name, `${what}\n${boot.lastLines.text('| ')}`.trimEnd());
  }
}

/** Killed children hold what they shared until they are gone, and the next boot would find it taken. */
async function waitGone(pids: readonly number[]): Promise<void> {
  await eventually(async () => (await Promise.all(pids.map(isGone))).every(Boolean), killWithinMs);
}

/** What a command leaves behind goes with it: its port is wanted again. */
async function endGroup({ pid }: ChildProcess, exit: Exit): Promise<Exit> {
  if (pid === undefined) return exit;
  signalGroup(pid, 'SIGKILL');
  await eventually(async () => !groupRuns(pid), killWithinMs);
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

/** One that has ended at once, or has gone to another user, stays as it is. */
function lowerPriority(pid: number, niceness: number): void {
  try {
    setPriority(pid, getPriority() + niceness);
    // On Linux each session is a group by itself, and between groups only their own niceness counts (sched(7)).
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // It is a courtesy: the lag of the driver is measured all the same.
  }
}
