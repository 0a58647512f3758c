import { type Mode, type ModeName, modes, storesOf } from '../../modes.js';
import { parseLine } from '../checker/verdict/expectations.js';
import type { OwnBackend } from '../cluster/backend.js';
import type { MembersSpec } from '../cluster/external/drivers.js';
import { canDrain, type ExternalProxy } from '../cluster/external/external-proxy.js';
import { isStoreServer, type StoresSpec, serverOf } from '../cluster/stores/registry.js';
import { kindOf, membersIn } from '../cluster/targets.js';
import { faults as registry } from '../faults/kinds/registry.js';
import type { FaultTrigger } from '../faults/trigger.js';
import type { ExpectationLine } from '../history/records.js';
import type { PlannedUser } from '../plan/planned-user.js';
import type { JourneyMapping } from './journey/mapping.js';

/** Scenario file after all checks, with every default filled in. Durations are milliseconds. */
export interface Scenario {
  readonly name: string;
  readonly why: string;
  readonly seed: number;
  readonly modes: readonly ModeName[];
  readonly system: StoresSpec & {
    /** The address of a system that already runs. Then the lab starts nothing, and the keys below do not apply. */
    readonly target?: string;
    /** How faults strike the members of the system under `target`. Absent: only `exec` can break something. */
    readonly members?: MembersSpec;
    readonly backends: {
      readonly count: number;
      /** Number of further backends that the proxy knows from the start, and that `scale-out` starts. */
      readonly spare: number;
      readonly env: Readonly<Record<string, string>>;
      /** The user's own program. Absent: the toy shop. */
      readonly own?: OwnBackend;
    };
    readonly proxy: {
      /** Number of proxies. Two proxies are two addresses of one host and share one key ring. */
      readonly count: number;
      readonly health: {
        readonly everyMs: number;
        readonly timeoutMs: number;
        readonly fall: number;
        readonly rise: number;
      };
      readonly policy: string;
      /** The input of a hashing policy. Undefined: the address of the client. */
      readonly hashKey?: string;
      /** Whether a browser is bound to one backend. `temporary`: it returns there later. Undefined: by mode. */
      readonly affinity?: 'on' | 'off' | 'temporary';
      /** The most requests that a backend gets at once; further requests wait. Undefined: no limit. */
      readonly maxconn?: number;
      /** The most requests that wait for such a backend. Undefined: as the proxy says. */
      readonly queue?: number;
      readonly queueTimeoutMs?: number;
      /** Time for which a draining backend keeps its bound browsers. */
      readonly drainMs: number;
      /** Another proxy in place of Holdfast's. */
      readonly external?: ExternalProxy;
    };
  };
  readonly users: {
    /** The steps of each user, at fixed times. Then `arrivals` only describes them, and the keys up to
     * `slowAtLogoutMs` do not apply. */
    readonly plan?: readonly PlannedUser[];
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
    /** Weights of the steps after login. Undefined: the weights of a shopper. */
    readonly mix?: ActivityMix;
    /** Number of tabs of a browser. With several, all tabs sometimes add an item at once, and then one reads. */
    readonly tabs: number;
    /** Duration of an add that is under way in another tab at every logout. The toy shop is asked to take so long; the
     * user's own app gets the add right before the logout. Undefined: there is no such add. */
    readonly slowAtLogoutMs: number | undefined;
    /** How often an old session is tried after its logout. Undefined: once, after the revocation delay. */
    readonly replayEveryMs?: number;
    /** Time-out of an operation. After it, a read has failed and a write is unknown. */
    readonly timeoutMs: number;
    /** A cookie that each browser has from the start, with the name of its user. Undefined: none. */
    readonly browserCookie?: string;
    /** The cookie in which the user's own app keeps its session. Undefined: unknown. */
    readonly cookie?: string;
    /** The journey of the toy shop, or the mapping of another app. */
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
  /** Expectation lines as written; each is known to parse. `any`: for every mode; a mode: for that mode; `others`: for
   * each mode without a list. */
  readonly expect: { readonly any: readonly ExpectationLine[] } & {
    readonly [name in ModeName | 'others']?: readonly ExpectationLine[] | undefined;
  };
}

/** Returns all expectation lines for one mode. */
export function expectationsOf({ expect }: Scenario, mode: ModeName): readonly ExpectationLine[] {
  return [...expect.any, ...(expect[mode] ?? expect.others ?? [])];
}

/** Weights of the steps of a user. */
export type ActivityMix = {
  readonly [kind in 'add' | 'read' | 'remove' | 'whoami' | 'logout']?: number | undefined;
};

export interface FaultSpec {
  readonly id: string;
  readonly trigger: FaultTrigger;
  /** A key of the fault registry. */
  readonly do: string;
  /** `backend-2`; `backend-any`: the seed chooses one; `redis`; `store`: the mode chooses one; `secrets`; or a link
   * such as `proxy->backend-2`. */
  readonly target: string;
  /** The keys beside `do`, as written in the file. The fault parses them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Time from confirmation to healing. Absent: the fault is healed when the faults phase ends. */
  readonly forMs?: number;
}

/** Reason why a scenario cannot be run in a mode: a target of its faults does not exist in that mode, its proxy lacks
 * something, or packets cannot be struck here. */
export interface NotApplicable {
  readonly mode: ModeName;
  /** Id of the fault. Absent when a setting of the scenario is the reason, as is its target. */
  readonly fault?: string;
  readonly target?: string;
  /** `mode sticky uses no redis`. */
  readonly why: string;
}

/** The parts of a scenario that decide whether it can be run. Without a system, the proxy is Holdfast's. */
export type Applied = Pick<Scenario, 'faults'> & { readonly system?: Pick<Scenario['system'], 'proxy'> };

/**
 * Returns the first fault that cannot be run in this mode, or the first thing that an external proxy lacks; undefined
 * when the scenario can be run. `noNetwork` says why the lab has no network of its own; undefined when it has one, or
 * can get one. Pure.
 */
export function findMissingTarget(
  { faults, system }: Applied,
  mode: ModeName,
  noNetwork?: string,
): NotApplicable | undefined {
  for (const { id, target, do: action } of faults) {
    const why =
      explainMissingTarget(mode, target) ??
      explainNoDrain(action, system?.proxy.external) ??
      (registry[action]?.needsOwnNetwork && noNetwork);
    if (why !== undefined) return { mode, fault: id, target, why };
  }
  const why = system && explainUnknownSetting(system.proxy);
  return why === undefined ? undefined : { mode, why };
}

function explainNoDrain(action: string, external: ExternalProxy | undefined): string | undefined {
  if (external === undefined || registry[action]?.needsDrain === undefined || canDrain(external)) return undefined;
  return `the proxy ${external.name} has no way to drain a backend: neither set-drain, nor reload with {{draining}} in its template`;
}

/** Says which setting of the scenario an external proxy does not get. Undefined when it gets all. */
function explainUnknownSetting(proxy: Scenario['system']['proxy']): string | undefined {
  const { external, policy, affinity, maxconn } = proxy;
  if (external === undefined) return undefined;
  const { name, config } = external;
  if (maxconn !== undefined && !config?.uses.has('maxconn'))
    return `the scenario sets system.proxy.maxconn, and the template of ${name} has no {{maxconn}}`;
  if (affinity === 'temporary') return `the scenario sets affinity: temporary, which only the proxy of Holdfast knows`;
  if (policy === 'round-robin') return undefined;
  return `the scenario sets the policy ${policy}, which only the proxy of Holdfast knows`;
}

/** Returns whether a fault strikes packets, so that the lab needs a network of its own. Pure. */
export function needsOwnNetwork({ faults }: Pick<Scenario, 'faults'>): boolean {
  return faults.some(({ do: action }) => registry[action]?.needsOwnNetwork);
}

/** Returns the reason in words: `mode sticky uses no redis (fault outage strikes redis)`. Pure. */
export function describeMissingTarget({ fault, target, why }: NotApplicable): string {
  return fault === undefined ? why : `${why} (fault ${fault} strikes ${target})`;
}

/** Returns those modes of the scenario in which it can be run. Pure. */
export function listApplicableModes(scenario: Applied & Pick<Scenario, 'modes'>): readonly ModeName[] {
  return scenario.modes.filter(mode => findMissingTarget(scenario, mode) === undefined);
}

/** Says what the target needs that the mode does not have. Undefined when nothing is missing. Pure. */
export function explainMissingTarget(mode: ModeName, target: FaultSpec['target']): string | undefined {
  const { strategy }: Mode = modes[mode];
  if (kindOf(target) === 'secrets')
    return strategy === 'reference' ? `mode ${mode} signs no session: its cookie is an id` : undefined;
  const servers = membersIn(target).map(serverOf);
  if (servers.includes('store')) return storesOf(mode).length === 0 ? `mode ${mode} uses no store server` : undefined;
  const missing = servers.filter(isStoreServer).find(server => !storesOf(mode).includes(server));
  return missing === undefined ? undefined : `mode ${mode} uses no ${missing}`;
}

/** The longest phases of the short form, and its most users. They are enough to show which users are logged out and
 * which writes are lost. */
const shortForm = {
  warmupMs: 200,
  baselineMs: 700,
  /** The report measures recovery only if load goes on for two seconds after the last healing, which can end late. */
  recoveryMs: 2_400,
  quiesceMs: 200,
  usersMax: 30,
  ratePerSecondMax: 40,
};

/**
 * Returns the scenario with fewer users and shorter phases before and after the faults. System, faults and expectations
 * stay the same; only moments of the run (`during 2s..5s`) move with the phases. A scenario without a fault stays
 * unchanged, because it needs its full load; so does one with fixed users, because its times belong together. Pure.
 */
export function buildShortForm(scenario: Scenario): Scenario {
  if (scenario.faults.length === 0 || scenario.users.plan !== undefined) return scenario;
  const { phases, users } = scenario;
  const { arrivals } = users;
  const shorter = {
    ...phases,
    warmupMs: Math.min(shortForm.warmupMs, phases.warmupMs),
    baselineMs: Math.min(shortForm.baselineMs, phases.baselineMs),
    recoveryMs: Math.min(shortForm.recoveryMs, phases.recoveryMs),
    quiesceMs: Math.min(shortForm.quiesceMs, phases.quiesceMs),
  };
  const moveLine = (line: ExpectationLine) => moveWindow(line, ms => moveMoment(ms, phases, shorter));
  return {
    ...scenario,
    phases: shorter,
    users: {
      ...users,
      arrivals: {
        ...arrivals,
        ratePerSecond: Math.min(shortForm.ratePerSecondMax, arrivals.ratePerSecond),
        forMs: arrivalsMs(arrivals.forMs, phases, shorter),
        maxActive: Math.min(shortForm.usersMax, arrivals.maxActive),
      },
    },
    expect: { ...mapLines(scenario.expect, moveLine), any: scenario.expect.any.map(moveLine) },
  };
}

/** Returns the time of arrivals. Users still arrive after the baseline: a new backend may need them. */
function arrivalsMs(forMs: number, from: Scenario['phases'], to: Scenario['phases']): number {
  const [fromMs, toMs] = [from.warmupMs + from.baselineMs, to.warmupMs + to.baselineMs];
  return Math.min(forMs, toMs) + Math.max(0, forMs - fromMs);
}

function mapLines(expect: Scenario['expect'], map: (line: ExpectationLine) => ExpectationLine) {
  return Object.fromEntries(Object.entries(expect).map(([mode, lines = []]) => [mode, lines.map(map)]));
}

/** Moves a window of two moments. Leaves every other line unchanged. */
function moveWindow(line: ExpectationLine, move: (ms: number) => number): ExpectationLine {
  const { during } = parseLine(line);
  if (during === undefined || !('fromMs' in during)) return line;
  const fromMs = Math.round(move(during.fromMs));
  const untilMs = Math.max(fromMs + 1, Math.round(move(during.untilMs)));
  const rewrite = (text: string) => text.replace(/\bduring\s+\S+?\.\.[\d.]+[a-z]+/, `during ${fromMs}ms..${untilMs}ms`);
  return typeof line === 'string' ? rewrite(line) : { ...line, warn: rewrite(line.warn) };
}

/** Moves a moment: linearly within each phase. After the last phase it keeps its distance from the end. */
function moveMoment(ms: number, from: Scenario['phases'], to: Scenario['phases']): number {
  let [fromStart, toStart] = [0, 0];
  for (const phase of ['warmupMs', 'baselineMs', 'faultsMs', 'recoveryMs', 'quiesceMs'] as const) {
    if (ms < fromStart + from[phase]) return toStart + ((ms - fromStart) * to[phase]) / from[phase];
    fromStart += from[phase];
    toStart += to[phase];
  }
  return toStart + ms - fromStart;
}
