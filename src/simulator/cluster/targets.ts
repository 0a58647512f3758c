import { type ModeName, storesOf } from '../../modes.js';
import { storeNames } from '../../shared/stores.js';
import { unknownName } from '../../shared/unknown-name.js';
import type { MembersSpec } from './external/drivers.js';
import { proxyNames } from './proxy.js';
import { isStoreServer, type StoresSpec, serverOf, shapeOf, storeServers } from './stores/registry.js';

/**
 * Kinds of fault targets:
 * - `backend`, `store` and `proxy`: a member of the lab (`backend-2`, `redis`, `redis.replica-1`, `proxy`).
 * - `link`: all traffic between two members, written `from->to`.
 * - `member`: a member of a running system, `member-2` or `member-any`, which the lab did not start (`system.members`).
 * - `backends`: all backends together.
 * - `secrets`: the key ring that all backends share.
 * - `system`: anything that a command of the user breaks.
 */
export type TargetKind = 'backend' | 'store' | 'proxy' | 'member' | 'link' | 'backends' | 'secrets' | 'system';

export function kindOf(target: string): TargetKind {
  if (endsOf(target) !== undefined) return 'link';
  if (target === 'backends' || target === 'secrets' || target === 'system') return target;
  if (/^proxy(-\d+)?$/.test(target)) return 'proxy';
  if (memberNumber(target) !== undefined) return 'member';
  return target === 'store' || isStoreServer(serverOf(target)) ? 'store' : 'backend';
}

/** Returns the number in `member-2`, or `any` for `member-any`; undefined for another target. */
export function memberNumber(target: string): number | 'any' | undefined {
  const [, number] = /^member-([1-9]\d?|any)$/.exec(target) ?? [];
  return number === undefined || number === 'any' ? number : Number(number);
}

/** Returns the two ends of a link; undefined when the target is no link. */
export function endsOf(target: string): readonly [from: string, to: string] | undefined {
  const [from, to, ...more] = target.split('->').map(end => end.trim());
  return from !== undefined && to !== undefined && more.length === 0 ? [from, to] : undefined;
}

/** Names of all members of a system, and the names that stand for one of them. */
export interface KnownTargets {
  readonly backends: readonly string[];
  readonly stores: readonly string[];
  readonly proxies: readonly string[];
  /** The possible ends of links, by the member at which they start. */
  readonly links: ReadonlyMap<string, readonly string[]>;
}

export interface TargetSystem extends StoresSpec {
  /** Whether the system already ran (`system.target`), so that the lab controls nothing of it. */
  readonly isRunning?: boolean;
  /** How to strike the members of a running system. Undefined: nothing can strike them. */
  readonly members?: Pick<MembersSpec, 'driver' | 'commands'> | undefined;
  readonly backends: { readonly count: number; readonly spare?: number; readonly command?: string | undefined };
  readonly proxy?: { readonly count: number };
}

export function targetsOf(system: TargetSystem): KnownTargets {
  const { count, spare = 0 } = system.backends;
  const numbers = Array.from({ length: count + spare }, (_, index) => `backend-${index + 1}`);
  const [backends, proxies] = [[...numbers, 'backend-any'], proxyNames(system.proxy ?? {})];
  const shapes = storeNames.map(name => ({ name, ...shapeOf(name, system) }));
  const members = shapes.flatMap(shape => [shape.name, ...shape.members]);
  // A backend that learns the address at run time cannot be sent through a link.
  const addresses = shapes.flatMap(({ name, addresses: some }) => (some.length === 0 ? [] : [name, ...some]));
  const seen = shapes.every(shape => shape.addresses.length > 0) ? ['store', ...addresses] : addresses;
  const links = new Map<string, readonly string[]>([
    ...proxies.map(proxy => [proxy, backends] as const),
    ...backends.map(backend => [backend, [...new Set(seen)]] as const),
    ...groupReplications(shapes.flatMap(({ replications }) => replications)),
  ]);
  return { backends, stores: ['store', ...new Set(members)], proxies, links };
}

function groupReplications(
  replications: readonly (readonly [from: string, to: string])[],
): Map<string, readonly string[]> {
  const grouped = new Map<string, readonly string[]>();
  for (const [from, to] of replications) grouped.set(from, [...(grouped.get(from) ?? []), to]);
  return grouped;
}

/** Says what is wrong with a target; undefined when it is known. */
export function describeUnknownTarget(
  target: string,
  { backends, stores, proxies, links }: KnownTargets,
): string | undefined {
  const ends = endsOf(target);
  if (ends === undefined) {
    if (memberNumber(target) !== undefined) return undefined;
    if (target.startsWith('member-'))
      return unknownName('target', target, ['member-1', 'member-2', 'member-any', 'backends', 'system']);
    const known = [...backends, ...stores, ...proxies, 'backends', 'secrets', 'system'];
    return known.includes(target) ? undefined : unknownName('target', target, known) + describeSetting(target);
  }
  const [from, to] = ends;
  const tails = links.get(from);
  if (tails === undefined) return unknownName('start of a link', from, [...links.keys()]) + describeSetting(from);
  if (tails.includes(to)) return undefined;
  // A backend uses this store, yet no link between them is possible: the backend asks Sentinels for the address.
  const asked =
    backends.includes(from) && stores.includes(to)
      ? ' Backends ask Sentinels for the address: no link is possible there.'
      : '';
  return unknownName(`end of a link from ${from}`, to, tails) + (asked === '' ? describeSetting(to) : asked);
}

const ways: readonly (readonly [members: RegExp, key: string])[] = [
  [/^backend-\d+$/, 'backends.count'],
  [/^proxy-\d+$/, 'proxy.count'],
  ...storeNames.flatMap((name): readonly (readonly [RegExp, string])[] => storeServers[name].memberSettings),
];

/** Names the setting that decides whether there is a member of that name. Empty when no setting does. */
function describeSetting(name: string): string {
  const key = ways.find(([members]) => members.test(name))?.[1];
  return key === undefined ? '' : ` system.${key} says how many there are.`;
}

/**
 * Resolves a target in one mode: `store` becomes the server that keeps the sessions, and a server with several members
 * becomes its first member. Returns undefined when the mode has no store server.
 */
export function resolveTargetName(mode: ModeName, target: string, system: StoresSpec): string | undefined {
  const named = (name: string) => (name === 'store' ? storesOf(mode)[0] : name);
  const [from, end = from] = endsOf(target) ?? [target];
  const name = named(end);
  if (name === undefined) return undefined;
  if (end === from) return firstOf(name, isStoreServer(name) ? shapeOf(name, system).members : []);
  return `${from}->${firstOf(name, isStoreServer(name) ? shapeOf(name, system).addresses : [])}`;
}

function firstOf(name: string, names: readonly string[]): string {
  return names.includes(name) ? name : (names[0] ?? name);
}

/** Returns the members that a fault with this target involves: the target itself, or both ends of a link. */
export function membersIn(target: string): readonly string[] {
  return endsOf(target) ?? [target];
}
