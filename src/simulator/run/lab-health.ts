import { setTimeout as delay } from 'node:timers/promises';
import { describeMachineDoubt } from '../checker/verdict/doubts.js';
import type { Cluster, ClusterMember, ProxyBackend, ShopCounts } from '../cluster/cluster.js';
import { roleOf } from '../cluster/redis-client.js';
import type { LabRecord, MemberRecord } from '../history/records.js';
import type { Driver } from '../users/driver.js';
import { watchProcessors } from './processor-pressure.js';

/** Observes the lab of a run: the states and counts of its members, and whether the machine is too busy. */

const askEveryMs = 1_000;
/** A member that hangs must not delay the end. */
const lastAskMs = 200;
/** The page warns for this long after the machine was too busy. */
const warnForMs = 10_000;

export const noLab: LabRecord = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };

const tooBusy =
  'The machine is too busy for fair results: no processor was idle for more than a second. Take fewer users, or close other programs.';

type Counts = Readonly<Record<string, ShopCounts>>;

/** Measures the health of a lab whose run has no planned end. A finished run records the same (`LabRecord`). */
export class LabHealth {
  readonly #cluster: Pick<Cluster, 'members'>;
  readonly #driver: Pick<Driver, 'lab'>;
  readonly #processors = watchProcessors();
  #counts: Counts = {};
  /** The counts at the last `clear`. */
  #countsBefore: Counts = {};
  #cleared = { runMs: 0, atMs: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(cluster: Pick<Cluster, 'members'>, driver: Pick<Driver, 'lab'>) {
    this.#cluster = cluster;
    this.#driver = driver;
    this.#askAgain();
  }

  /** Forgets what happened before this time of the run. */
  clear(runMs: number): void {
    this.#cleared = { runMs, atMs: performance.now() };
    this.#countsBefore = this.#counts;
    void this.#ask().then(() => {
      this.#countsBefore = this.#counts;
    });
  }

  record(): LabRecord {
    const lab = this.#driver.lab();
    const { droppedMs = [], droppedWaitMs = [] } = lab;
    const isKept = (_: number, index: number): boolean => Number(droppedMs[index]) >= this.#cleared.runMs;
    const kept = droppedMs.filter(isKept);
    return {
      ...lab,
      dropped: kept.length,
      droppedMs: kept,
      droppedWaitMs: droppedWaitMs.filter(isKept),
      busyMs: this.#processors.longestSince(this.#cleared.atMs),
      counts: subtractCounts(this.#counts, this.#countsBefore),
    };
  }

  /** Says, in a sentence, that the machine is too busy at present. Undefined when it is not. */
  warning(): string | undefined {
    const busyMs = this.#processors.longestSince(performance.now() - warnForMs);
    return describeMachineDoubt({ ...noLab, busyMs }) && tooBusy;
  }

  /** Asks the members once more. Call it before they are stopped. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#processors.stop();
    await Promise.race([this.#ask(), delay(lastAskMs)]);
  }

  #askAgain(): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#ask().then(() => this.#askAgain()), askEveryMs);
  }

  /** A member that does not answer keeps its earlier counts. */
  async #ask(): Promise<void> {
    this.#counts = { ...this.#counts, ...(await collectCounts(this.#cluster)) };
  }
}

/** The name of the count that is no sum: it is the largest value since the boot of a member. */
const largest = 'atOnceMax';

/** Returns what the members have counted since an earlier moment. Pure. A member that counts less than before was
 * started again, so all of its counts are new. */
export function subtractCounts(now: Counts, before: Counts): Counts {
  return Object.fromEntries(
    Object.entries(now).map(([member, counts]) => {
      const old = before[member] ?? {};
      const isNew = Object.entries(counts).some(([name, count]) => count < (old[name] ?? 0));
      const since = Object.entries(counts).map(([name, count]) => {
        return [name, isNew || name === largest ? count : count - (old[name] ?? 0)];
      });
      return [member, Object.fromEntries(since)];
    }),
  );
}

/** Time between polls, which is the resolution of the strips in a report. */
const everyMs = 100;

export interface WatchedMember {
  readonly members: readonly Pick<ClusterMember, 'name' | 'state' | 'port'>[];
  readonly proxyAdmin: Pick<Cluster['proxyAdmin'], 'backends' | 'isSampled'>;
}

export interface WatchOptions {
  readonly intervalMs?: number;
  /** Called with each answer of the proxies. */
  readonly onBackends?: (backends: readonly ProxyBackend[]) => void;
}

type Member = WatchedMember['members'][number];
type SeenState = Pick<MemberRecord, 'state' | 'role'>;

/**
 * Reports changes that no process reports itself: the proxy sends nothing to a backend that is up (`ejected`), or
 * another Redis server becomes the primary. It reports changes only. Other states are reported by the code that causes
 * them. Returns a function that stops it.
 */
export function watchMembers(
  { members, proxyAdmin }: WatchedMember,
  onChange: (member: string, seen: SeenState) => void,
  { intervalMs = everyMs, onBackends }: WatchOptions = {},
) {
  const last = new Map<Member, SeenState>();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  async function poll(): Promise<void> {
    const backends = proxyAdmin.isSampled ? undefined : await proxyAdmin.backends().catch(() => undefined);
    const refused = backends && namesOfRefused(backends);
    const roles = await readRoles(members);
    if (isOver) return;
    if (backends !== undefined) onBackends?.(backends);
    for (const member of members) {
      const before = last.get(member);
      const role = roles.get(member) ?? before?.role;
      const isEjected = member.state === 'up' && (refused?.has(member.name) ?? before?.state === 'ejected');
      const seen = { state: isEjected ? 'ejected' : member.state, ...(role && { role }) } as const;
      if (isReported(before, seen)) onChange(member.name, seen);
      last.set(member, seen);
    }
    timer = setTimeout(poll, intervalMs);
  }

  timer = setTimeout(poll, intervalMs);
  return (): void => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** Asks each member for its own counts. A member without an answer is absent. */
export async function collectCounts({ members }: Pick<Cluster, 'members'>): Promise<Record<string, ShopCounts>> {
  const asked = await Promise.all(members.map(async member => ({ name: member.name, counts: await member.counts() })));
  return Object.fromEntries(asked.flatMap(({ name, counts }) => (counts === undefined ? [] : [[name, counts]])));
}

function isReported(before: SeenState | undefined, seen: SeenState): boolean {
  if (before?.role !== seen.role) return true;
  const wasEjected = before?.state === 'ejected';
  // When a member is down or stopped, the fault or the ended process has already reported that.
  return (seen.state === 'ejected') !== wasEjected && (seen.state === 'ejected' || seen.state === 'up');
}

/** Returns the names of the backends that the proxies do not use. */
function namesOfRefused(backends: readonly ProxyBackend[]): ReadonlySet<string> {
  const refused = backends.filter(({ state }) => state === 'down' || state === 'ejected');
  return new Set(refused.map(({ name }) => name));
}

/** Returns the roles of the servers of a replicated Redis. A server that does not answer is absent and keeps its
 * role. */
async function readRoles(members: readonly Member[]): Promise<ReadonlyMap<Member, string>> {
  const replicated = members.filter(({ name, state }) => /^redis\.(?:primary|replica)/.test(name) && state === 'up');
  const roles = await Promise.all(
    replicated.map(async member => [member, nameRole(await roleOf(member.port).catch(() => undefined))] as const),
  );
  return new Map(roles.flatMap(([member, role]) => (role === undefined ? [] : [[member, role] as const])));
}

function nameRole(role: string | undefined): string | undefined {
  return role === 'master' ? 'primary' : role === 'slave' ? 'replica' : undefined;
}
