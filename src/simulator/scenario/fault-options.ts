import * as z from 'zod';
import { unknownName } from '../../shared/unknown-name.js';
import type { Options } from './values.js';

/** Options of a fault for a user interface: what can be set, and whether given values are accepted. */

export interface DescribedOption {
  readonly name: string;
  readonly required: boolean;
  /** The accepted values, if there are few. */
  readonly choices?: readonly string[];
  /** A value that is accepted, as a scenario file writes it. A list has commas. */
  readonly example: string;
  /** `text`: also a list, with commas. */
  readonly type: 'text' | 'number' | 'boolean';
}

/** Returns the options that a fault takes, in the order of its schema. */
export function describeOptions(options: Options): readonly DescribedOption[] {
  const { properties = {}, required = [] } = z.toJSONSchema(z.object(options), { io: 'input' });
  return Object.entries(properties).flatMap(([name, property]) => {
    if (typeof property === 'boolean') return [];
    const choices = property.enum?.map(String);
    return {
      name,
      required: required.includes(name),
      ...(choices && { choices }),
      example: exampleOf(options[name], property.default),
      type: typeOf(property.type),
    };
  });
}

function typeOf(type: unknown): DescribedOption['type'] {
  if (type === 'number' || type === 'integer') return 'number';
  return type === 'boolean' ? 'boolean' : 'text';
}

function exampleOf(option: Options[string] | undefined, byDefault: unknown): string {
  const examples = option instanceof z.ZodType ? option.meta()?.examples : undefined;
  const example: unknown = Array.isArray(examples) ? examples[0] : byDefault;
  return Array.isArray(example) ? example.join(', ') : String(example);
}

export type GivenOptions = Readonly<Record<string, unknown>>;

/**
 * Checks options that a user has given. Returns them as a scenario file writes them, or the first problem in words. It
 * splits the text of a list at its commas.
 */
export function readOptions(options: Options, given: GivenOptions): GivenOptions | string {
  const { properties = {} } = z.toJSONSchema(z.object(options), { io: 'input' });
  const strange = Object.keys(given).find(name => !Object.hasOwn(options, name));
  if (strange !== undefined) return describeStrange(strange, Object.keys(options));
  const written = Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const property = properties[name];
      const isList = typeof property === 'object' && property.type === 'array' && typeof value === 'string';
      return [name, isList ? value.split(',').map(each => each.trim()) : value];
    }),
  );
  const issue = z.object(options).safeParse(written).error?.issues[0];
  return issue === undefined ? written : `option ${String(issue.path[0])}: ${issue.message}`;
}

function describeStrange(name: string, known: readonly string[]): string {
  return known.length === 0 ? `found the option "${name}", expected none` : unknownName('option', name, known);
}
