import type { Random } from '../../plan/random.js';

/** `forward`: what the first end of a link says; `back`: what the other answers. */
export type LinkDirection = 'forward' | 'back';

/** One thing that is wrong with a link; what is absent is in order. It holds for one link, whose state some of them keep. */
export interface Toxic {
  /** When what is said at `atMs` leaves the link. What was said before it never leaves after it. */
  readonly leavesMs?: (way: LinkDirection, bytes: number, atMs: number) => number;
  /** Whether what is said this way never arrives. */
  readonly cuts?: (way: LinkDirection) => boolean;
  /** So many bytes of an answer arrive, and when it is longer, the connection ends. */
  readonly breaks?: { readonly afterBytes: number; readonly by: 'reset' | 'end' };
  /** New connections are refused. */
  readonly refuses?: true;
}

export function cut(direction: LinkDirection | 'both'): Toxic {
  return { cuts: way => direction === 'both' || direction === way };
}

/**
 * A question and its answer take `roundTripMs` longer together, half of it each way. Each piece that is said takes up to
 * half of `jitterMs` more or less than that, and none overtakes another.
 */
export function latency(roundTripMs: number, jitterMs: number, random: Random): Toxic {
  return { leavesMs: (_way, _bytes, atMs) => atMs + Math.max(0, roundTripMs + (2 * random() - 1) * jitterMs) / 2 };
}

/** All connections of the link share it, each way has its own: who comes later waits until the earlier have gone. */
export function bandwidth(bytesPerSecond: number): Toxic {
  const freeAtMs = { forward: 0, back: 0 };
  return {
    leavesMs(way, bytes, atMs) {
      freeAtMs[way] = Math.max(freeAtMs[way], atMs) + (bytes / bytesPerSecond) * 1_000;
      return freeAtMs[way];
    },
  };
}

/** `reset` as by a box in between that forgot the connection, `end` as by one that closes it in good order. */
export function breakAnswers(afterBytes: number, by: 'reset' | 'end'): Toxic {
  return { breaks: { afterBytes, by } };
}

export const refuseNew: Toxic = { refuses: true };
