import { distance } from 'fastest-levenshtein';

/**
 * The sentence for a name that is not in its registry: what was given, the nearest known name when one is near,
 * and the list of all known ones. Used by the command line and by the scenario reader alike.
 */
export function unknownName(kind: string, given: string, known: readonly string[]): string {
  const near = nearest(given, known);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  const shown = given.length > 60 ? `${given.slice(0, 60)}...` : given;
  return `unknown ${kind} "${shown}".${hint} Known: ${known.join(', ')}.`;
}

/** Undefined when none is near enough to be what was meant. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const ranked = known
    // Of two that are equally near, the one that begins alike: few people mistype the first letter.
    .map(name => ({ name, steps: distance(given.toLowerCase(), name.toLowerCase()), begins: given[0] === name[0] }))
    .sort((a, b) => a.steps - b.steps || Number(b.begins) - Number(a.begins));
  const best = ranked[0];
  return best !== undefined && best.steps <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined;
}
