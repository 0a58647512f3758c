import * as z from 'zod';
import type { ModeName } from '../../modes.js';
import { unknownName } from '../../shared/unknown-name.js';
import { drivers } from '../cluster/external/drivers.js';
import { serverOf } from '../cluster/stores/registry.js';
import {
  kindOf,
  membersIn,
  resolveTargetName,
  type TargetKind,
  type TargetSystem,
  targetsOf,
} from '../cluster/targets.js';
import type { FaultEntry } from '../faults/fault.js';
import { faults } from '../faults/kinds/registry.js';
import { explainMissingTarget } from './scenario.js';
import type { Options } from './values.js';

/**
 * Says which faults can strike a system, where, and with which options. The checks of a scenario ask why a fault cannot
 * strike a target. The live lab and a hunt ask for more than the faults that the scenario names. All functions are pure.
 */

/** Says that the target is not under the control of the lab; undefined when it is. The target is known to exist. */
export function explainNotOurs(target: string, { isRunning, members, backends }: TargetSystem): string | undefined {
  const kind = kindOf(target);
  if (kind === 'system' || (kind === 'backends' && members !== undefined)) return undefined;
  if (kind === 'member')
    return members === undefined
      ? `found "${target}", expected system.members, which says how the members of a running system are struck`
      : undefined;
  if (isRunning && members !== undefined)
    return `found "${target}", but the lab did not start the system under system.target: use member-1, member-2, member-any or backends`;
  if (isRunning)
    return `found "${target}", but the lab did not start the system under system.target and cannot break its members: add system.members, or use "do: exec"`;
  if (kind === 'secrets' && backends.command !== undefined)
    return 'found "secrets", but your own program does not read the key ring of the lab: use "do: exec"';
  return undefined;
}

/** Says why this fault cannot strike this kind of target, or what it needs there. The target is known to exist.
 * `options` are as written; undefined when they cannot be read. */
export function explainUnfit(
  action: string,
  target: string,
  options: unknown,
  system: TargetSystem,
): string | undefined {
  const entry = faults[action];
  if (entry === undefined) return undefined;
  const kind = kindOf(target);
  if (!entry.targets.includes(kind)) return explainOtherKind(target, kind, action, entry.targets);
  if (kind === 'member') return explainNoCommand(action, entry, system);
  return options === undefined ? undefined : entry.explainMissing?.(target, system, options);
}

/** Says which command the driver lacks; undefined when it has all. */
function explainNoCommand(action: string, { verbs = [] }: FaultEntry, { members }: TargetSystem): string | undefined {
  const lacking = verbs.find(verb => members?.commands[verb] === undefined);
  if (lacking === undefined) return undefined;
  const why = members?.driver === undefined ? undefined : drivers[members.driver]?.lacks?.[lacking];
  if (why !== undefined) return `found ${action}, but ${why}`;
  return `found ${action}, but this driver has no command to ${lacking} a member: choose another fault, or commands of your own (system.members.driver.${lacking})`;
}

function explainOtherKind(target: string, kind: TargetKind, action: string, kinds: readonly TargetKind[]): string {
  const found = kind === target ? target : `${kind} ${target}`;
  return `found the ${found}, expected ${kinds.map(describeKind).join(' or ')}: "${action}" cannot break anything else`;
}

const kindWords: Partial<Record<TargetKind, string>> = {
  backends: 'the target "backends"',
  secrets: 'the target "secrets"',
  system: 'the target "system"',
  proxy: 'the target "proxy"',
  member: 'a member of a running system such as member-1',
  link: 'a link such as proxy->backend-1',
};

function describeKind(kind: TargetKind): string {
  return kindWords[kind] ?? `a ${kind}`;
}

/**
 * Lists every link that the members of a system can have in a mode: from each proxy to each backend, from each backend
 * to its store, and between the members of a store. `foreign` are stores that the lab does not start.
 */
export function listLinks(mode: ModeName, system: TargetSystem, foreign: readonly string[]): readonly string[] {
  if (system.isRunning) return [];
  const links = [...targetsOf(system).links].flatMap(([from, tos]) => tos.map(to => `${from}->${to}`));
  return links.filter(
    link =>
      resolveTargetName(mode, link, system) === link &&
      !link.includes('backend-any') &&
      explainMissingTarget(mode, link) === undefined &&
      !membersIn(link).some(end => foreign.includes(serverOf(end))),
  );
}

/** Returns the required options of a fault with their examples. */
export function exampleOptions(fault: string): GivenOptions {
  const described = describeOptions(faults[fault]?.options ?? {}).filter(({ required }) => required);
  return Object.fromEntries(
    described.map(({ name, example, type }) => [name, type === 'number' ? Number(example) : example]),
  );
}

/** An option of a fault for a user interface. */
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
