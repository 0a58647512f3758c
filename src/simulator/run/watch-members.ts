import type { Cluster, ClusterMember } from '../cluster/cluster.js';
import { roleOf } from '../cluster/redis-client.js';
import type { MemberRecord } from '../history/records.js';

/** How often it is looked at: as fine as the strips of a report are drawn. */
const everyMs = 100;

export interface WatchedMember {
  readonly members: readonly Pick<ClusterMember, 'name' | 'state' | 'port'>[];
  readonly proxyAdmin: Pick<Cluster['proxyAdmin'], 'backends'>;
}

type One = WatchedMember['members'][number];
type Seen = Pick<MemberRecord, 'state' | 'role'>;

/**
 * Tells what no process says of itself: that the proxy sends nothing to one that is up (`ejected`), and which of several
 * Redis servers is the primary. As edges; the other states are told by whoever brings them about. Gives back the way to
 * stop.
 */
export function watchMembers({ members, proxyAdmin }: WatchedMember, onChange: (member: string, seen: Seen) => void) {
  const last = new Map<One, Seen>();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  async function look(): Promise<void> {
    const refused = await refusedBy(proxyAdmin);
    const roles = await rolesOf(members);
    if (isOver) return;
    for (const member of members) {
      const before = last.get(member);
      const role = roles.get(member) ?? before?.role;
      const isEjected = member.state === 'up' && (refused?.has(member.name) ?? before?.state === 'ejected');
      const seen = { state: isEjected ? 'ejected' : member.state, ...(role && { role }) } as const;
      if (isEdge(before, seen)) onChange(member.name, seen);
      last.set(member, seen);
    }
    timer = setTimeout(look, everyMs);
  }

  timer = setTimeout(look, everyMs);
  return (): void => {
    isOver = true;
    clearTimeout(timer);
  };
}

function isEdge(before: Seen | undefined, seen: Seen): boolean {
  if (before?.role !== seen.role) return true;
  const wasEjected = before?.state === 'ejected';
  // Down or stopped: that has been told by the fault, or by the process that ended.
  return (seen.state === 'ejected') !== wasEjected && (seen.state === 'ejected' || seen.state === 'up');
}

/** Undefined when no proxy says anything. */
async function refusedBy(admin: WatchedMember['proxyAdmin']): Promise<ReadonlySet<string> | undefined> {
  const backends = await admin.backends().catch(() => undefined);
  const refused = backends?.filter(({ state }) => state === 'down' || state === 'ejected');
  return refused && new Set(refused.map(({ name }) => name));
}

/** Of the servers of a replicated Redis; one that does not answer stays what it was. */
async function rolesOf(members: readonly One[]): Promise<ReadonlyMap<One, string>> {
  const replicated = members.filter(({ name, state }) => /^redis\.(?:primary|replica)/.test(name) && state === 'up');
  const roles = await Promise.all(
    replicated.map(async member => [member, inWords(await roleOf(member.port).catch(() => undefined))] as const),
  );
  return new Map(roles.flatMap(([member, role]) => (role === undefined ? [] : [[member, role] as const])));
}

function inWords(role: string | undefined): string | undefined {
  return role === 'master' ? 'primary' : role === 'slave' ? 'replica' : undefined;
}
