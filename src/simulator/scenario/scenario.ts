import type { ModeName } from '../../modes.js';
import type { OwnBackend } from '../cluster/own-backend.js';
import type { StoresSpec } from '../cluster/store-server.js';
import type { FaultTrigger } from '../faults/trigger.js';
import type { ExpectationLine } from '../history/records.js';
import type { JourneyMapping } from './journey/mapping.js';

/** A scenario file, checked and with every default filled in. Durations are milliseconds. */
export interface Scenario {
  readonly name: string;
  readonly why: string;
  readonly seed: number;
  readonly modes: readonly ModeName[];
  readonly system: StoresSpec & {
    /** A system that runs already; nothing of all below is then started. */
    readonly target?: string;
    readonly backends: {
      readonly count: number;
      /** So many more that the proxy knows from the start and that `scale-out` starts. */
      readonly spare: number;
      readonly env: Readonly<Record<string, string>>;
      /** Absent: the toy shop. */
      readonly own?: OwnBackend;
    };
    readonly proxy: {
      /** Two are two addresses of one host; they share one key ring. */
      readonly count: number;
      readonly health: {
        readonly everyMs: number;
        readonly timeoutMs: number;
        readonly fall: number;
        readonly rise: number;
      };
      readonly policy: string;
      /** What a policy that hashes hashes; undefined: the client's address. */
      readonly hashKey?: string;
      /** Whether a browser is bound to one backend, and with `temporary` goes back to it; undefined: as the mode says. */
      readonly affinity?: 'on' | 'off' | 'temporary';
      /** How long a draining backend keeps the browsers bound to it. */
      readonly drainMs: number;
    };
  };
  readonly users: {
    readonly arrivals: {
      readonly ratePerSecond: number;
      readonly forMs: number;
      readonly process: 'poisson' | 'uniform';
      readonly maxActive: number;
    };
    /** A pattern with `{n}`, or one name for each user. Undefined: `user-{n}`. */
    readonly names?: string | readonly string[];
    /** Log-normal think time between two steps of one user. */
    readonly think: { readonly medianMs: number; readonly p95Ms: number };
    /** Weights of the steps once logged in. Undefined: those of a shopper. */
    readonly mix?: ActivityMix;
    /** So many tabs a browser has open; above one, now and then all of them add something at once, and one reads. */
    readonly tabs: number;
    /** So long the toy shop takes over an add that is under way in another tab at every logout; an app of one's own is
     * sent that add right before the logout. Undefined: there is none. */
    readonly slowAtLogoutMs: number | undefined;
    /** After this an operation is over for its user: a read fails, a write is unknown. */
    readonly timeoutMs: number;
    /** The cookie in which an app of one's own keeps its session, where that is known. */
    readonly cookie?: string;
    /** The toy shop's, or that of an app spelled out in the file. */
    readonly journey: 'shop' | JourneyMapping;
  };
  readonly phases: {
    readonly warmupMs: number;
    readonly baselineMs: number;
    readonly faultsMs: number;
    readonly recoveryMs: number;
    readonly quiesceMs: number;
  };
  readonly faults: readonly FaultSpec[];
  /** Expectation lines as written: of every mode, of one, of those that have none of their own; each is known to parse. */
  readonly expect: { readonly any: readonly ExpectationLine[] } & {
    readonly [name in ModeName | 'others']?: readonly ExpectationLine[] | undefined;
  };
}

/** All that the scenario expects of one mode. */
export function expectationsOf({ expect }: Scenario, mode: ModeName): readonly ExpectationLine[] {
  return [...expect.any, ...(expect[mode] ?? expect.others ?? [])];
}

/** How often a user does what, as weights. */
export type ActivityMix = {
  readonly [kind in 'add' | 'read' | 'remove' | 'whoami' | 'logout']?: number | undefined;
};

export interface FaultSpec {
  readonly id: string;
  readonly trigger: FaultTrigger;
  /** A key of the fault registry. */
  readonly do: string;
  /** `backend-2`, or `backend-any`: the seed chooses; `redis`, or `store`: the mode chooses; `secrets`; or a link
   * between two of them, `proxy->backend-2`. */
  readonly target: string;
  /** What stands beside `do` in the file, as written there: the fault reads it. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** From confirmed to healing. Absent: it is healed when the faults phase ends. */
  readonly forMs?: number;
}
