import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

interface Turn {
  /** When its next turn is due. One unit of this clock is the time between turns of a backend with share 1. */
  due: number;
  /** The number of its last turn; 0: it had none. */
  last: number;
}

/**
 * Weighted round robin. A backend is due again 1 / `share` after its last turn. The backend due first is chosen. If
 * several are due at the same time, the one that has waited longest is chosen. With equal shares this is plain round
 * robin. The first turn of a backend is due after half an interval, so that the turns of a heavy backend spread around
 * those of light ones.
 *
 * Two simpler ways fail. A position in the list skips or favours a neighbour when the list changes (a failure, a
 * retry). A count of turns floods a returning backend until it has caught up. Here the missed turns of a backend are
 * forgotten: it gets its next turn and no more.
 */
export function roundRobin(): RoutingPolicy {
  const turns = new WeakMap<Backend, Turn>();
  let clock = 0;
  let count = 0;
  return <B extends Backend>(candidates: readonly B[]): B => {
    let chosen: B | undefined;
    let first: Turn | undefined;
    for (const candidate of candidates) {
      const turn = turns.get(candidate) ?? begin(candidate);
      if (turn.due < clock) turn.due = clock;
      if (first !== undefined && !isBefore(turn, first)) continue;
      chosen = candidate;
      first = turn;
    }
    if (chosen === undefined || first === undefined)
      throw new RangeError('round-robin: there is no candidate to choose from');
    clock = first.due;
    first.due += 1 / chosen.share;
    first.last = ++count;
    return chosen;
  };

  function begin(backend: Backend): Turn {
    const turn = { due: clock + 0.5 / backend.share, last: 0 };
    turns.set(backend, turn);
    return turn;
  }
}

function isBefore(one: Turn, other: Turn): boolean {
  return one.due < other.due || (one.due === other.due && one.last < other.last);
}
