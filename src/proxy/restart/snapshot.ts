import type { HandedBinding } from '../affinity/learned-affinity.js';
import { hasBackend } from '../control/reload.js';
import type { TlsPair } from '../front/tls-pair.js';
import type { HostedBackend } from '../hosts.js';
import type { MemberFacts, MemberSnapshot } from '../pool/member.js';
import type { LeftBackend } from '../pool/pool.js';
import type { LeftByHost } from '../pool/pools.js';

/** The state of a proxy that its successor needs, so that no session moves. Plain data; it holds keys. */
export interface ProxySnapshot {
  /** The backends of its settings, without the orders of the admin API. */
  readonly listed: readonly Pick<MemberFacts, 'name' | 'identity' | 'url' | 'host' | 'weight'>[];
  readonly members: readonly MemberSnapshot[];
  readonly left: LeftByHost;
  /** The bindings of every `LearnedAffinity`. */
  readonly bindings: readonly HandedBinding[];
  /** The keys of its TLS session tickets by their certificate. */
  readonly tickets: ReadonlyMap<string, Buffer>;
}

/** A backend with which a successor begins. */
export interface BackendAtStart extends HostedBackend {
  readonly snapshot?: MemberSnapshot;
}

/**
 * Computes the backends with which a successor begins. What the admin API has added, removed or weighed stays so, as at
 * a reload: only the difference between the old settings and the new settings is applied.
 */
export function planBackends(snapshot: ProxySnapshot, next: readonly HostedBackend[]): readonly BackendAtStart[] {
  const listed = snapshot.listed.map(toBackend);
  const isRemoved = (backend: HostedBackend) => hasBackend(listed, backend) && !hasBackend(next, backend);
  const taken = new Set(next.map(({ name }) => name));
  const stays = snapshot.members.flatMap(member => {
    const backend = toBackend(member.facts);
    const given = next.find(other => hasBackend([other], backend));
    if (isRemoved(backend) || (given === undefined && taken.has(backend.name))) return [];
    return [{ ...(given ?? backend), weight: chooseWeight(member.facts, listed, given), snapshot: member }];
  });
  return [...stays, ...next.filter(backend => !hasBackend(listed, backend) && !hasBackend(stays, backend))];
}

/** Returns all backends that are not there any more. */
export function listLeft(snapshot: ProxySnapshot, start: readonly BackendAtStart[]): LeftByHost {
  const left = new Map<string, Map<string, LeftBackend>>();
  for (const [host, backends] of snapshot.left) left.set(host, new Map(backends));
  for (const member of snapshot.members) {
    if (start.some(backend => backend.snapshot === member)) continue;
    const { host, identity, name, boot } = member.facts;
    left.set(host, (left.get(host) ?? new Map()).set(identity, { name, boot }));
  }
  return left;
}

/** Returns the pair with the old ticket keys. A new certificate gets new keys, so that every client sees it. */
export function keepTickets(pair: TlsPair, { tickets }: Pick<ProxySnapshot, 'tickets'>): TlsPair {
  const ticketKeys = tickets.get(pair.cert);
  return ticketKeys === undefined ? pair : { ...pair, ticketKeys };
}

/** A weight that the settings have changed wins over one that the admin API gave. */
function chooseWeight(facts: MemberFacts, listed: readonly HostedBackend[], given: HostedBackend | undefined): number {
  const before = listed.find(({ name }) => name === facts.name)?.weight ?? 1;
  const now = given?.weight ?? 1;
  return given !== undefined && now !== before ? now : facts.weight;
}

function toBackend({ name, identity, url, host, weight }: ProxySnapshot['listed'][number]): HostedBackend {
  return { name, identity, url: new URL(url), host, weight };
}
