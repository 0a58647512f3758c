import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

/** Turns that are remembered. Far above any pool; keeps names of removed backends from piling up for ever. */
const turnsMax = 1024;

/**
 * Remembers when each backend had its last turn and takes the one that waited longest, which is a plain round for a
 * pool that does not change. A position in the list would do that too, but skips or favours a neighbour whenever the
 * list changes (a failure, a retry); a count of turns would flood a backend that returns until it has caught up.
 */
export function roundRobin(): RoutingPolicy {
  const turns = new Map<string, number>();
  let now = 0;
  return candidates => {
    const chosen = longestWaiting(candidates, turns);
    // Deleted first so that the map stays ordered by last turn and its first entry is the one to forget.
    turns.delete(chosen.name);
    turns.set(chosen.name, ++now);
    if (turns.size > turnsMax) forgetOldest(turns);
    return chosen;
  };
}

function longestWaiting(candidates: readonly Backend[], turns: ReadonlyMap<string, number>): Backend {
  let chosen: Backend | undefined;
  let chosenTurn = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const turn = turns.get(candidate.name) ?? 0;
    if (turn < chosenTurn) {
      chosen = candidate;
      chosenTurn = turn;
    }
  }
  if (chosen === undefined) throw new RangeError('round-robin: there is no candidate to choose from');
  return chosen;
}

function forgetOldest(turns: Map<string, number>): void {
  for (const oldest of turns.keys()) {
    turns.delete(oldest);
    return;
  }
}
