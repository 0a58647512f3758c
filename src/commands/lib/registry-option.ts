import { unknownName } from '../../shared/unknown-name.js';
import { UsageError } from './errors.js';

/** A flag whose value is a key of a registry. */
export function parseKey(flag: string, given: string, registry: Readonly<Record<string, unknown>>): string {
  if (!Object.hasOwn(registry, given))
    throw new UsageError(`--${flag}: ${unknownName(flag, given, Object.keys(registry))}`);
  return given;
}

/** A whole number within bounds. */
export function parseCount(flag: string, given: number, least: number, most: number): number {
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  const found = Number.isNaN(given) ? '' : `, not "${given}"`;
  throw new UsageError(`--${flag}: expected a whole number from ${least} to ${most}${found}.`);
}
