import type { Flow, Toxic } from './link-pipe.js';
import type { RunShell } from './processes/run-program.js';

/** The system of one run, as the faults and the driver see it. */
export interface Cluster {
  /** Origin that users talk to, for example `http://127.0.0.1:41234`. */
  readonly proxyUrl: string;
  /** All proxies: a user can use any of them. Never empty: a system that the lab did not start counts as one proxy. */
  readonly proxies: readonly ProxyAddress[];
  /** The admin API of all proxies at once. */
  readonly proxyAdmin: ProxyAdmin;
  readonly members: readonly ClusterMember[];
  /** The versions of the stores: `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
  /** The file with the key ring of all backends, mode 0600. They read it again on SIGHUP. Undefined when the scenario
   * sets its own secrets. */
  readonly secretsFile: string | undefined;
  /** Returns the member of this name. Throws `LabError` when there is none. Targets are checked before the run. */
  member(name: string): ClusterMember;
  /** Returns the link `from->to`. It exists when the spec asked for it; otherwise this throws `LabError`. */
  link(name: string): Link;
  /** Replaces the version of all backends. Undefined: nothing here can do that. */
  readonly deployer?: Deployer;
  /** The members that the lab did not start: how answers name them, and which were ready at the start. Undefined: there
   * are none. */
  readonly external?: { readonly naming: BackendNaming; readonly startedWith: readonly string[] } | undefined;
  /** Runs a command of the user with `sh -c`; see `RunShell`. */
  readonly shell: RunShell;
  /** Stops every process and removes the temporary directory. Processes stopped with SIGSTOP are resumed first.
   * Idempotent. The second Ctrl-C cannot wait and calls `killNow` of janitor.ts instead. */
  stop(): Promise<void>;
}

/** Where users reach a proxy. */
export interface ProxyAddress {
  /** The name of its member. */
  readonly name: string;
  /** Its origin, for example `http://127.0.0.1:41234`. */
  readonly url: string;
}

/** A system whose members are all processes of the lab. */
export interface LabCluster extends Cluster {
  readonly members: readonly LabProcess[];
  member(name: string): LabProcess;
}

/** A TCP relay between two members. It carries all bytes between them, and faults can disturb it. */
export interface Link {
  /** `proxy->backend-2`. */
  readonly name: string;
  /** The port to which the one end connects. The relay connects on to the other end. */
  readonly port: number;
  /** The port of the other end. */
  readonly toPort: number;
  /** Counters of what has passed through it so far. */
  readonly traffic: Traffic;
  /** Applies a toxic to open and new connections. Resolves with a function that removes this toxic and no other. It is
   * safe to call that function twice. */
  disturb(toxic: Toxic): Promise<() => Promise<void>>;
  /** Sends new connections to this port and resets open ones, as when a name or an address moves. */
  retarget(port: number): void;
}

export interface Traffic {
  /** Connections accepted, including `swallowedConnections`. */
  readonly connections: number;
  /** Accepted connections that were never connected to the other end. */
  readonly swallowedConnections: number;
  /** Answers that were cut short. */
  readonly brokenAnswers: number;
  readonly forward: Readonly<Flow>;
  readonly back: Readonly<Flow>;
}

/** One version of the program of all backends. */
export interface Release {
  /** Its answers carry this name in the header `holdfast-version`. */
  readonly version: string;
  /** Variables that are added to those of every backend, or that replace them. */
  readonly env: Readonly<Record<string, string>>;
  /** Replaces the command of the user's own backends. Undefined: the command stays. */
  readonly command?: string | undefined;
  /** Replaces the image of members that run in containers. Undefined: the image stays. */
  readonly image?: string | undefined;
}

/** How many backends a rollout may have beyond their number, and how many it may lack. As in Kubernetes. */
export interface RolloutPace {
  readonly surge: number;
  readonly unavailable: number;
}

/** Replaces the version that the backends run. Each call is bounded in time. */
export interface Deployer {
  /**
   * Replaces backends until this share of them runs the release, at least one. 1: all of them. Resolves when as many
   * run and get users. Rejects when that fails half-way, or when the signal is aborted: it then starts no further step,
   * and has ended those that had begun.
   */
  rollOut(release: Release, share: number, pace: RolloutPace, signal: AbortSignal): Promise<void>;
  /** Brings back the version from before the last release, on all backends. Does nothing when none was rolled out. */
  rollBack(pace: RolloutPace): Promise<void>;
  /** Returns the version of each backend that runs, as the backend itself says it. */
  versions(): Promise<ReadonlyMap<string, string>>;
}

export type MemberState = 'up' | 'draining' | 'stopped' | 'dead';

/** How an answer names the backend that gave it. */
export interface BackendNaming {
  /** A response header, in lower case. */
  readonly header: string;
  /** Returns the name of the backend for a value of the header. */
  nameOf(value: string): string;
}

/** Naming of the toy shop, and of the proxy of a lab in front of another app. */
export const backendNaming: BackendNaming = { header: 'holdfast-backend', nameOf: value => value };

/** Counters by name, for example `{ opened: 321, absent: 64, forged: 2 }`. */
export type ShopCounts = Readonly<Record<string, number>>;

/** Verb of a strike: what a fault does to a member and then confirms. */
export type StrikeVerb = 'kill' | 'stop' | 'hang';

/**
 * A server that faults strike: a backend, a store member or a proxy. It is a process of the lab, or a container, pod or
 * unit that the lab did not start. A fault uses these verbs only, so it need not know which. `kill`, `stop`, `hang` and
 * `resume` resolve as soon as they are sent, with false when the member was not running.
 */
export interface ClusterMember {
  /** `backend-2`, `redis`, `redis.replica-1`, `proxy`. */
  readonly name: string;
  readonly role: 'backend' | 'store' | 'proxy';
  /** 0: it is not on a port of the lab. */
  readonly port: number;
  /** The directory in which it runs and keeps its files. Undefined: the current directory. */
  readonly directory: string | undefined;
  readonly state: MemberState;
  /** The name by which records and answers call it. It differs from `name` while the target `member-2` stands for a
   * struck container. */
  readonly shownAs: string;
  /** Whether it runs. A member that hangs runs, too. */
  readonly isRunning: boolean;
  /** Ends it at once, as SIGKILL does. `again`: the same server as the last time, where a target stands for another one
   * after each healing. */
  kill(again?: 'again'): Promise<boolean>;
  /** Asks it to end, as SIGTERM does. */
  stop(): Promise<boolean>;
  /** Freezes it, as SIGSTOP does: it accepts connections and answers nothing. */
  hang(): Promise<boolean>;
  resume(): Promise<boolean>;
  isHung(): Promise<boolean>;
  /** Returns the evidence in words that a verb took effect, as seen in the system itself. False: it did not. Rejects
   * when it had another effect, such as an end with an error at `stop`. A member hangs if it is silent for 250 ms, so a
   * shorter stop needs a check of its own. Bounded in time. */
  confirm(verb: StrikeVerb): Promise<string | false>;
  /** Resolves with whether it has ended, after `withinMs` at the latest. */
  waitEnd(withinMs: number): Promise<boolean>;
  /** Starts it again at the same address. Resolves when it passes its readiness check; rejects with `LabError`. */
  start(): Promise<void>;
  /** Makes it read its files again, as SIGHUP does. */
  reload(): void;
  /** Returns whether the process answers a probe (HTTP health, PING) within `withinMs`. `at`: the port of a link to it;
   * default: its own port. */
  answers(withinMs: number, at?: number): Promise<boolean>;
  /** Returns its counters since it started, by its own names. Undefined when it has none or does not answer. */
  counts(): Promise<ShopCounts | undefined>;
  /** Says how it ended, or that it still runs, and adds its last lines of output, each after a `|`. */
  describe(): string;
  mark(state: MemberState): void;
}

/** A member that is a process of the lab. */
export interface LabProcess extends ClusterMember {
  /** Undefined while it is not running. */
  readonly pid: number | undefined;
  /** Sends a signal to the running process. SIGKILL, SIGSTOP and SIGCONT also go to the children that serve for it.
   * Returns false when it is not running. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT' | 'SIGHUP'): boolean;
  /** Resolves with how the process ended, or undefined when it still runs after `withinMs`. */
  waitExit(withinMs: number): Promise<{ readonly code: number | null; readonly signal: string | null } | undefined>;
}

/** Admin API of the proxy under test, as the simulator uses it. With several proxies it merges those that are up. */
export interface ProxyAdmin {
  drain(backend: string): Promise<void>;
  ready(backend: string): Promise<void>;
  /** Returns the state of each backend as the proxy sees it. */
  backends(): Promise<readonly ProxyBackend[]>;
  /** True when `backends` finds the states by requests of its own, which take a share of the traffic. */
  readonly isSampled?: boolean;
  /** Writes the configuration of an external proxy again and reloads it. `order`: the backends to list; default: as
   * before. Rejects when the proxy has no command for that. */
  reload?(order?: readonly string[]): Promise<void>;
}

export interface ProxyBackend {
  readonly name: string;
  readonly state: 'ready' | 'draining' | 'down' | 'ejected';
  /** The drain has ended: no request is in flight, and no browser is bound to it or the drain window is over. */
  readonly drained: boolean;
  readonly inFlight: number;
  readonly bound: number;
}

/** End of a process. `signal` holds the reason when it could not be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Returns the end in words: `ended with code 1`, `ended by SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return code === null ? `ended by ${signal}` : `ended with code ${code}`;
}

/** 128 + 15: the exit code with which a shell or a JVM reports SIGTERM. */
const codeOfSigterm = 143;

/** Returns whether this is a proper end after SIGTERM: code 0, the code that stands for the signal, or the signal. */
export function isCleanEnd({ code, signal }: Exit): boolean {
  return code === 0 || code === codeOfSigterm || signal === 'SIGTERM';
}

/** Lists the ends that `isCleanEnd` accepts, for error messages. */
export const cleanEndInWords = `with code 0, with code ${codeOfSigterm} or by SIGTERM itself`;
