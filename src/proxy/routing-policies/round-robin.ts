import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

interface Turn {
  /** When its next turn is due, on a clock that counts turns of a backend whose share is 1. */
  due: number;
  /** The number of its last turn; 0: it had none. */
  last: number;
}

/**
 * Each backend is due again one part in `share` after its last turn, and who is due first is taken; of several, the one
 * that waited longest. Among equals that is a plain round. The first turn is due after half of that time, so that a
 * heavy backend's turns lie around those of the light ones and not before them.
 *
 * A position in the list would skip or favour a neighbour whenever the list changes (a failure, a retry); a count of
 * turns would flood a backend that returns until it has caught up. Here what was due while it was away is forgotten: it
 * has the next turn and no more.
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
