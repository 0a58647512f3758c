import { serverOf } from '../cluster/stores/registry.js';
import { endsOf, kindOf } from '../cluster/targets.js';
import type { ExpectedEffect } from '../history/records.js';

/** Effects that several faults share. All functions are pure and take targets that `targetIn` has resolved. */

/** Returns the effect of an unreachable member. A store was asked; a backend or a proxy answered no user. */
export function memberGoneEffect(target: string): ExpectedEffect {
  return kindOf(target) === 'store' ? askedEffect(target) : { kind: 'silent', member: target };
}

export const memberGoneInWords =
  'the member had answered users before, and answered none between confirmation and healing; for a store: it was asked in that time';

export const askedInWords = 'the store was asked between confirmation and healing';

/** Returns the effect of a request to a store. `store` is a member such as `redis.primary`. The effect names the server
 * of that member, because users depend on the whole server. */
export function askedEffect(store: string): ExpectedEffect {
  return { kind: 'asked', store: serverOf(store) };
}

/** Returns the effect of a link that carries nothing. */
export function linkGoneEffect(target: string): ExpectedEffect {
  const { from, to, backend } = partsOf(target);
  if (backend === undefined) return { kind: 'link-bytes', link: target };
  if (backend === from) return { kind: 'asked', store: serverOf(to), from };
  return { kind: 'silent', member: backend, ...(from === 'proxy' ? {} : { link: from }) };
}

/** Returns the effect of a slow link: an answer takes at least `atLeastMs`, or longer than before. */
export function linkSlowEffect(target: string, atLeastMs?: number): ExpectedEffect {
  const { backend } = partsOf(target);
  if (backend === undefined) return { kind: 'link-bytes', link: target };
  return { kind: 'slow', member: backend, ...(atLeastMs === undefined ? {} : { atLeastMs }) };
}

/** Returns the effect of a link that cuts answers off. */
export function linkBrokenEffect(target: string): ExpectedEffect {
  const { backend } = partsOf(target);
  return backend === undefined ? { kind: 'link-bytes', link: target } : { kind: 'broken', member: backend };
}

export const linkBrokenInWords = 'an answer was cut off between confirmation and healing';

export const keysInWords =
  'after the change, a session of the old key was used, and a session of the new key was created';

/** Splits a link. `backend` is the end that answers users. A link between two members of a store has no such end. */
function partsOf(target: string): { readonly from: string; readonly to: string; readonly backend: string | undefined } {
  const [from, to] = endsOf(target) ?? [target, target];
  return { from, to, backend: [to, from].find(end => kindOf(end) === 'backend') };
}
