import type { Cluster, ClusterMember, ProxyBackend, ShopCounts } from '../cluster/cluster.js';
import { roleOf } from '../cluster/redis-client.js';
import type { MemberRecord } from '../history/records.js';

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
