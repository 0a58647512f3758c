import type { Random } from '../../plan/random.js';

/** A direction. `forward`: bytes that the first end of a link sends; `back`: bytes that the other end sends. */
export type LinkDirection = 'forward' | 'back';

/** One disturbance of a link. Absent parts change nothing. A toxic belongs to one link, because some keep state. */
export interface Toxic {
  /** Returns when bytes sent at `atMs` leave the link. The order of bytes never changes. */
  readonly leavesMs?: (way: LinkDirection, bytes: number, atMs: number) => number;
  /** Returns whether bytes in this direction are swallowed. */
  readonly cuts?: (way: LinkDirection) => boolean;
  /** `afterBytes` of an answer arrive. If the answer is longer, the connection then ends. */
  readonly breaks?: { readonly afterBytes: number; readonly by: 'reset' | 'end' };
  /** Set when new connections are refused. */
  readonly refuses?: true;
}

export function cut(direction: LinkDirection | 'both'): Toxic {
  return { cuts: way => direction === 'both' || direction === way };
}

/**
 * Delays a request and its answer by `roundTripMs` together, half of it each way. Each piece takes up to half of
 * `jitterMs` more or less than that. No piece overtakes another.
 */
export function latency(roundTripMs: number, jitterMs: number, random: Random): Toxic {
  return { leavesMs: (_way, _bytes, atMs) => atMs + Math.max(0, roundTripMs + (2 * random() - 1) * jitterMs) / 2 };
}

/** Limits each direction to so many bytes per second. All connections share the limit; later bytes wait for earlier. */
export function bandwidth(bytesPerSecond: number): Toxic {
  const freeAtMs = { forward: 0, back: 0 };
  return {
    leavesMs(way, bytes, atMs) {
      freeAtMs[way] = Math.max(freeAtMs[way], atMs) + (bytes / bytesPerSecond) * 1_000;
      return freeAtMs[way];
    },
  };
}

/**
 * Cuts answers off after so many bytes. `reset`: as a middlebox does that has forgotten the connection. `end`: as one
 * that closes it in order.
 */
export function breakAnswers(afterBytes: number, by: 'reset' | 'end'): Toxic {
  return { breaks: { afterBytes, by } };
}

export const refuseNew: Toxic = { refuses: true };
