import type { Flow } from './links/pipe.js';
import type { Toxic } from './links/toxics.js';
import type { RunShell } from './processes/shell.js';

/** The real processes of one run, as the faults and the driver see them. */
export interface Cluster {
  /** Origin that users talk to, for example `http://127.0.0.1:41234`. */
  readonly proxyUrl: string;
  /** All of them, one for each proxy: users may come in by any. */
  readonly proxyUrls: readonly string[];
  /** Of all proxies at once. */
  readonly proxyAdmin: ProxyAdmin;
  readonly members: readonly ClusterMember[];
  /** Of the stores: `{ redis: '7.0.15' }`. */
  readonly versions: Readonly<Record<string, string>>;
  /** The key ring that all backends read, mode 0600; they read it again on SIGHUP. Undefined when the scenario gives its own. */
  readonly secretsFile: string | undefined;
  /** Rejects nobody: a target was checked against the scenario before the run. Throws `LabError` all the same. */
  member(name: string): ClusterMember;
  /** The link `from->to`, which is there when the spec asked for it. Throws `LabError` otherwise. */
  link(name: string): Link;
  /** Runs a command of the user's by `sh -c`; see `RunShell`. */
  readonly shell: RunShell;
  /** Stops everything, resumes what was stopped with SIGSTOP first, removes the temporary directory. Idempotent. For
   * the second Ctrl-C, which cannot wait: `killNow` of janitor.ts. */
  stop(): Promise<void>;
}

/** All that one member says to another and hears from it, over TCP: it passes through here and can be disturbed. */
export interface Link {
  /** `proxy->backend-2`. */
  readonly name: string;
  /** Where the one end connects; from here it goes on to the other end. */
  readonly port: number;
  /** The port of the other end, which answers through it. */
  readonly toPort: number;
  /** What has gone through it so far. */
  readonly traffic: Traffic;
  /** From now on something is wrong with it, for open connections and new ones. What it resolves with takes that away
   * again, and only that; safe twice. */
  disturb(toxic: Toxic): Promise<() => Promise<void>>;
  /** New connections go to this port from now on, and open ones are reset: as when a name or an address moves. */
  retarget(port: number): void;
}

export interface Traffic {
  /** Accepted, and those of them that led nowhere. */
  readonly connections: number;
  readonly swallowedConnections: number;
  /** Answers that were broken off. */
  readonly brokenAnswers: number;
  readonly forward: Readonly<Flow>;
  readonly back: Readonly<Flow>;
}

export type MemberState = 'up' | 'draining' | 'stopped' | 'dead';

/** For example `{ opened: 321, absent: 64, forged: 2 }`. */
export type ShopCounts = Readonly<Record<string, number>>;

/** One process: a backend, a store or the proxy. */
export interface ClusterMember {
  /** `backend-2`, `redis`, `redis.replica-1`, `proxy`. */
  readonly name: string;
  readonly role: 'backend' | 'store' | 'proxy';
  readonly port: number;
  /** Where it is run, and keeps its files if it has some; undefined for the current directory. */
  readonly directory: string | undefined;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly state: MemberState;
  /** Sends the signal to the running process, and what kills, stops or resumes it to the children too that serve for it;
   * false when there is none. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT' | 'SIGHUP'): boolean;
  /** Resolves with how the process ended, or undefined when it still runs after `withinMs`. */
  waitExit(withinMs: number): Promise<{ readonly code: number | null; readonly signal: string | null } | undefined>;
  /** Boots it on the same port: a new incarnation. Resolves when it answers its readiness check; rejects with `LabError`. */
  start(): Promise<void>;
  /** Asks the process itself (HTTP health, PING) whether it answers within `withinMs`, or `at` the port of a link that
   * leads to it. */
  answers(withinMs: number, at?: number): Promise<boolean>;
  /** What it has counted since it booted, by its own names; undefined when it counts nothing or does not answer. */
  counts(): Promise<ShopCounts | undefined>;
  /** How it ended, or that it still runs, with its last lines of output, each after a `|`. */
  describe(): string;
  mark(state: MemberState): void;
}

/** What the simulator asks of the proxy under test, over its admin API; of several, what holds for all that are up. */
export interface ProxyAdmin {
  drain(backend: string): Promise<void>;
  ready(backend: string): Promise<void>;
  /** The state of each backend as the proxy sees it. */
  backends(): Promise<readonly ProxyBackend[]>;
}

export interface ProxyBackend {
  readonly name: string;
  readonly state: 'ready' | 'draining' | 'down' | 'ejected';
  /** A drain has come to its end: nothing in flight, nobody bound (or the window is over). */
  readonly drained: boolean;
  readonly inFlight: number;
  readonly bound: number;
}

/** How a process ended. `signal` holds the reason when it could not even be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** `ended with code 1`, `ended by SIGKILL`. */
export function exitInWords({ code, signal }: Exit): string {
  return code === null ? `ended by ${signal}` : `ended with code ${code}`;
}

/** 128 + 15: a shell or a JVM reports an end by SIGTERM like this. */
const codeOfSigterm = 143;

/** The process ended as SIGTERM asked it to: by itself, by the signal, or with the code that stands for the signal. */
export function isCleanEnd({ code, signal }: Exit): boolean {
  return code === 0 || code === codeOfSigterm || signal === 'SIGTERM';
}

/** The ends that `isCleanEnd` accepts, for error messages. */
export const cleanEndInWords = `with code 0, with code ${codeOfSigterm} or by SIGTERM itself`;
