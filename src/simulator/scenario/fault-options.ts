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

/** Everything that is derived from the schemas of one fault. */
interface Derived {
  readonly schema: z.ZodObject<Options>;
  readonly described: readonly DescribedOption[];
  /** Names of the options that are lists. */
  readonly lists: ReadonlySet<string>;
}

const known = new WeakMap<Options, Derived>();

function deriveFrom(options: Options): Derived {
  const before = known.get(options);
  if (before !== undefined) return before;
  const schema = z.object(options);
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  const lists = new Set<string>();
  const described = Object.entries(properties).flatMap(([name, property]) => {
    // A map has no form of its own: only a scenario file can set it.
    if (typeof property === 'boolean' || property.type === 'object') return [];
    if (property.type === 'array') lists.add(name);
    const choices = property.enum?.map(String);
    return {
      name,
      required: required.includes(name),
      ...(choices && { choices }),
      example: exampleOf(options[name], property.default),
      type: typeOf(typeIn(property)),
    };
  });
  const derived = { schema, described, lists };
  known.set(options, derived);
  return derived;
}

/** Returns the options that a fault takes, in the order of its schema. */
export function describeOptions(options: Options): readonly DescribedOption[] {
  return deriveFrom(options).described;
}

/** Returns the type of a property. The first one of a choice: a percentage is a number, or a text such as `30 %`. */
function typeIn({ type, anyOf }: z.core.JSONSchema.BaseSchema): unknown {
  const [first] = anyOf ?? [];
  return type ?? (typeof first === 'object' ? first.type : undefined);
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
  const { schema, lists } = deriveFrom(options);
  const strange = Object.keys(given).find(name => !Object.hasOwn(options, name));
  if (strange !== undefined) return describeStrange(strange, Object.keys(options));
  const written = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      lists.has(name) && typeof value === 'string' ? value.split(',').map(each => each.trim()) : value,
    ]),
  );
  const issue = schema.safeParse(written).error?.issues[0];
  return issue === undefined ? written : `option ${String(issue.path[0])}: ${issue.message}`;
}

function describeStrange(name: string, known: readonly string[]): string {
  return known.length === 0 ? `found the option "${name}", expected none` : unknownName('option', name, known);
}
