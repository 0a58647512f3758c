import { distance } from 'fastest-levenshtein';

/**
 * Describes a name that is not in its registry: the given name, the nearest known name if one is near, and all known
 * names. The command line and the scenario reader use it.
 */
export function unknownName(kind: string, given: string, known: readonly string[]): string {
  const near = nearest(given, known);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  const shown = given.length > 60 ? `${given.slice(0, 60)}...` : given;
  return `unknown ${kind} "${shown}".${hint} Known: ${known.join(', ')}.`;
}

/** Finds the nearest known name. Undefined when none is near enough to be a typing error. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const ranked = known
    // Among equally near names, prefers the same first letter: people rarely mistype it.
    .map(name => ({ name, steps: distance(given.toLowerCase(), name.toLowerCase()), begins: given[0] === name[0] }))
    .sort((a, b) => a.steps - b.steps || Number(b.begins) - Number(a.begins));
  const best = ranked[0];
  return best !== undefined && best.steps <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined;
}
