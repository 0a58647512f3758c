import type { View } from './reads.js';
import type { Visit } from './sessions.js';
import type { Tally } from './tally.js';
import type { Token } from './tokens.js';

/**
 * The session guarantees (Terry et al. 1994) that one view breaks. `missing`: what it must show and does not.
 * Each is counted in views, once per view. Every write is a token of its own, so "the effect of w is seen" is "its
 * token is shown, or is gone after its removal":
 * - read your writes: it misses a token, or shows a removed one, whose write was acknowledged before it began.
 * - monotonic reads: it misses what an earlier read had shown, or shows again what one had found removed.
 * - monotonic writes: it misses w1 and shows w2, though w2 was sent after w1 was acknowledged.
 * - writes follow reads: it misses w1 and shows w2, though w2 was sent after a read had shown w1.
 */
export function breaches(missing: readonly Token[], visit: Visit, view: View, { guarantees }: Tally): void {
  const { sentMs } = view.read;
  const acknowledgedMs = earliest(missing, token => token.acknowledgedMs);
  const shownMs = earliest(missing, token => token.firstShownMs);
  const newestMs = missing.length === 0 ? 0 : newestShownMs(visit, view);
  if (acknowledgedMs <= sentMs || view.showsRemoved) guarantees.readYourWrites += 1;
  if (shownMs <= sentMs || view.showsVanished) guarantees.monotonicReads += 1;
  if (acknowledgedMs <= newestMs) guarantees.monotonicWrites += 1;
  if (shownMs <= newestMs) guarantees.writesFollowReads += 1;
}

function earliest(tokens: readonly Token[], at: (token: Token) => number): number {
  return tokens.reduce((ms, token) => Math.min(ms, at(token)), Number.POSITIVE_INFINITY);
}

/** When the newest write that the view shows was sent. */
function newestShownMs({ tokens }: Visit, { number }: View): number {
  return tokens.reduce((ms, token) => (token.shownIn === number ? Math.max(ms, token.add.sentMs) : ms), -1);
}
