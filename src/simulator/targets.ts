import { type ModeName, storesOf } from '../modes.js';
import { unknownName } from '../unknown-name.js';
import { isStoreServer, storeServerNames } from './cluster/stores/registry.js';

/**
 * What a fault can strike, by name: a member of the lab (`backend-2`, `redis`, `proxy`), `secrets`, the key ring that all
 * backends share, a link, `from->to`: all that one member says to another and hears from it, or `system`: whatever a
 * command of the user's strikes.
 */
export type TargetKind = 'backend' | 'store' | 'proxy' | 'link' | 'secrets' | 'system';

export function kindOf(target: string): TargetKind {
  if (endsOf(target) !== undefined) return 'link';
  if (target === 'secrets' || target === 'proxy' || target === 'system') return target;
  return target === 'store' || isStoreServer(target) ? 'store' : 'backend';
}

/** The two ends of a link, undefined for what is none. */
export function endsOf(target: string): readonly [from: string, to: string] | undefined {
  const [from, to, ...more] = target.split('->').map(end => end.trim());
  return from !== undefined && to !== undefined && more.length === 0 ? [from, to] : undefined;
}

/** The names that a system of this size gives its members, and those that stand for one of them. */
export interface KnownTargets {
  readonly backends: readonly string[];
  readonly stores: readonly string[];
  readonly proxies: readonly string[];
}

export function targetsOf(system: { readonly backends: { readonly count: number } }): KnownTargets {
  const backends = Array.from({ length: system.backends.count }, (_, index) => `backend-${index + 1}`);
  return {
    backends: [...backends, 'backend-any'],
    stores: ['store', ...storeServerNames],
    proxies: ['proxy'],
  };
}

/** What is wrong with a target, undefined when it is one. */
export function strangeIn(target: string, { backends, stores, proxies }: KnownTargets): string | undefined {
  const ends = endsOf(target);
  if (ends === undefined) {
    const known = [...backends, ...stores, ...proxies, 'secrets', 'system'];
    return known.includes(target) ? undefined : unknownName('target', target, known);
  }
  const [from, to] = ends;
  const heads = [...proxies, ...backends];
  if (!heads.includes(from)) return unknownName('start of a link', from, heads);
  const tails = proxies.includes(from) ? backends : stores;
  return tails.includes(to) ? undefined : unknownName(`end of a link from ${from}`, to, tails);
}

/** What a target is in one mode: `store` is the server that keeps its sessions, undefined where there is none. */
export function targetIn(mode: ModeName, target: string): string | undefined {
  const ends = endsOf(target);
  if (ends === undefined) return target === 'store' ? storesOf(mode)[0] : target;
  const to = targetIn(mode, ends[1]);
  return to === undefined ? undefined : `${ends[0]}->${to}`;
}

/** The members that a fault with this target has to do with: itself, or both ends. */
export function membersIn(target: string): readonly string[] {
  return endsOf(target) ?? [target];
}
