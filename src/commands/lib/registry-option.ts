import { unknownName } from '../../shared/unknown-name.js';
import { UsageError } from './errors.js';

/** Parses a flag whose value is a key of a registry. Throws `UsageError` for another value. */
export function parseKey(flag: string, given: string, registry: Readonly<Record<string, unknown>>): string {
  if (!Object.hasOwn(registry, given))
    throw new UsageError(`--${flag}: ${unknownName(flag, given, Object.keys(registry))}`);
  return given;
}

/** Parses a whole number from `least` to `most`. Throws `UsageError` for another value. */
export function parseCount(flag: string, given: number, least: number, most: number): number {
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  const found = Number.isNaN(given) ? '' : `, not "${given}"`;
  throw new UsageError(`--${flag}: expected a whole number from ${least} to ${most}${found}.`);
}
