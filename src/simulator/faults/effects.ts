import { serverOf } from '../cluster/stores/registry.js';
import { endsOf, kindOf } from '../cluster/targets.js';
import type { ExpectedEffect } from '../history/records.js';

/** Effects that several faults share. All of them are pure; targets are those that `targetIn` has resolved. */

/** The effect of a member that is gone: a store that was asked in vain, or a backend or proxy that answers nothing. */
export function memberGoneEffect(target: string): ExpectedEffect {
  return kindOf(target) === 'store' ? askedEffect(target) : { kind: 'silent', member: target };
}

export const memberGoneInWords =
  'the member had answered users before, and answered none between confirmation and healing; a store was asked meanwhile';

export const askedInWords = 'the store was asked between confirmation and healing';

/** The effect of a store that was asked. `store` is a member such as `redis.primary`; the effect names its server, since
 * users depend on the whole of it. */
export function askedEffect(store: string): ExpectedEffect {
  return { kind: 'asked', store: serverOf(store) };
}

/** The effect of a link that carries nothing. */
export function linkGoneEffect(target: string): ExpectedEffect {
  const { from, to, backend } = partsOf(target);
  if (backend === undefined) return { kind: 'link-bytes', link: target };
  if (backend === from) return { kind: 'asked', store: serverOf(to), from };
  return { kind: 'silent', member: backend, ...(from === 'proxy' ? {} : { link: from }) };
}

/** The effect of a link over which everything takes longer: at least `atLeastMs`, or longer than before. */
export function linkSlowEffect(target: string, atLeastMs?: number): ExpectedEffect {
  const { backend } = partsOf(target);
  if (backend === undefined) return { kind: 'link-bytes', link: target };
  return { kind: 'slow', member: backend, ...(atLeastMs === undefined ? {} : { atLeastMs }) };
}

/** The effect of a link that breaks answers off. */
export function linkBrokenEffect(target: string): ExpectedEffect {
  const { backend } = partsOf(target);
  return backend === undefined ? { kind: 'link-bytes', link: target } : { kind: 'broken', member: backend };
}

export const linkBrokenInWords = 'an answer was broken off between confirmation and healing';

export const keysInWords = 'a session made under the old key was used after it, and one was made under the new key';

/** `backend`: the end of the link that answers users. A link between two members of a store has none. */
function partsOf(target: string): { readonly from: string; readonly to: string; readonly backend: string | undefined } {
  const [from, to] = endsOf(target) ?? [target, target];
  return { from, to, backend: [to, from].find(end => kindOf(end) === 'backend') };
}
