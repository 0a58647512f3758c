import { whenInWords } from '../faults/trigger.js';
import { isCounter } from '../run/live-counts.js';
import type { StepKind } from '../scenario/journey/mapping.js';
import { stepKinds } from '../scenario/journey/mapping.js';
import { isMap } from '../scenario/yaml.js';
import { stepsMax, userNamePattern, usersMax } from './plan.js';
import type { PlannedUser } from './planned.js';

/** What is wrong with a plan that was read from a file: `users[3].steps[0].kind: found "buy", expected …`. */
export class PlanProblem extends Error {}

/** A value that a key may have, and how to say so. Written by hand: a plan holds millions of steps. */
interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  readonly optional?: true;
}
type Rules = Readonly<Record<string, Rule>>;

const timeMsMax = 10 * 60_000;
/** As many as a scenario may have. */
const faultsMax = 200;

const name: Rule = {
  expected: 'up to 64 letters, digits, dots and dashes',
  accepts: value => typeof value === 'string' && /^[A-Za-z0-9][\w.-]{0,63}$/.test(value),
};
const text: Rule = { expected: 'text', accepts: value => typeof value === 'string' && value !== '' };
const whole: Rule = { expected: 'a whole number from 0', accepts: isWhole };
const milliseconds: Rule = {
  expected: `whole milliseconds from 0 to ${timeMsMax}`,
  accepts: value => isWhole(value) && value <= timeMsMax,
};
const list: Rule = { expected: 'a list', accepts: Array.isArray };
const map: Rule = { expected: 'a map', accepts: isMap };
const counter: Rule = { expected: 'a count', accepts: value => typeof value === 'string' && isCounter(value) };

/** Version 0.1 wrote no schema. Its plans had other users for the same seed, and no reads among tabs. */
export const planSchema = 2;

const planRules: Rules = { schema: whole, scenario: text, seed: whole, users: list, faults: list };
const userName: Rule = {
  expected: 'up to 64 letters, digits and . _ - @ +',
  accepts: value => typeof value === 'string' && userNamePattern.test(value),
};
const userRules: Rules = { name: userName, steps: list };
const stepRules: Rules = {
  atMs: milliseconds,
  kind: { expected: `one of ${stepKinds.join(', ')}`, accepts: value => stepKinds.some(kind => kind === value) },
  token: optional(name),
  beside: optional({ expected: 'true', accepts: value => value === true }),
  slowMs: optional(milliseconds),
};
const faultRules: Rules = {
  id: text,
  trigger: map,
  do: text,
  target: {
    expected: 'the target itself, since a plan leaves nothing to chance',
    accepts: value => text.accepts(value) && !String(value).includes('backend-any'),
  },
  options: optional(map),
  forMs: optional(milliseconds),
};
/** Keys that a fault has in a scenario file, where its options stand beside them. */
const besideOptions: readonly string[] = ['id', 'at', 'after', 'when', 'do', 'target', 'for'];
const triggerRules = {
  at: { atMs: milliseconds },
  after: { afterFault: text, delayMs: milliseconds },
  when: { counter, sinceFault: optional(text), atLeast: whole },
} satisfies Readonly<Record<string, Rules>>;

/** The four parts of it, none of them looked into. Throws `PlanProblem`. */
export function partsOf(value: unknown): Readonly<Record<'scenario' | 'seed' | 'users' | 'faults', unknown>> {
  refuseOtherSchema(value);
  const { scenario, seed, users, faults } = obeying(value, planRules, '');
  return { scenario, seed, users, faults };
}

function refuseOtherSchema(value: unknown): void {
  if (!isMap(value) || value.schema === planSchema) return;
  const isOld = value.schema === undefined && ['scenario', 'seed', 'users', 'faults'].every(key => key in value);
  if (value.schema === undefined && !isOld) return;
  const found = isOld ? 'a plan of version 0.1' : `a plan of schema ${shown(value.schema)}`;
  const seed = typeof value.seed === 'number' ? value.seed : '<seed>';
  throw new PlanProblem(
    `schema: found ${found}, expected schema ${planSchema}. Run the scenario with --seed ${seed} to write a new plan`,
  );
}

/** What the scenario allows its users. */
export interface PlanLimits {
  /** Everything is planned for before this. */
  readonly endMs: number;
  readonly can: (kind: StepKind) => boolean;
}

/** Throws `PlanProblem` when the checker or the users could not rely on them: their names and tokens are unique, each
 * begins with a login, and time does not go backwards. */
export function checkUsers(users: unknown, limits: PlanLimits): asserts users is PlannedUser[] {
  const all = listOf(users, 'users', usersMax);
  const names = new Set<unknown>();
  const tokens = new Set<unknown>();
  let steps = 0;
  for (const [index, user] of all.entries()) {
    const where = `users[${index}]`;
    const read = obeying(user, userRules, where);
    beNew(read.name, names, `${where}.name`);
    const own = listOf(read.steps, `${where}.steps`, stepsMax - steps);
    steps += own.length;
    checkSteps(own, `${where}.steps`, limits, tokens);
  }
}

function checkSteps(steps: readonly unknown[], where: string, limits: PlanLimits, tokens: Set<unknown>): void {
  if (steps.length === 0) throw new PlanProblem(`${where}: found no step, expected a login at least`);
  let atMs = -1;
  for (const [index, step] of steps.entries()) {
    const place = `${where}[${index}]`;
    const read = obeying(step, stepRules, place);
    if (index === 0 && read.kind !== 'login') throw strange(`${place}.kind`, read.kind, '"login" in the first step');
    if (Number(read.atMs) < atMs) throw strange(`${place}.atMs`, read.atMs, `at least the ${atMs} of the step before`);
    if (Number(read.atMs) >= limits.endMs)
      throw strange(`${place}.atMs`, read.atMs, `less than the ${limits.endMs} ms from warmup to recovery`);
    atMs = Number(read.atMs);
    checkToken(read, place, tokens);
    checkPossible(read, place, limits);
  }
}

function checkToken({ kind, token }: Readonly<Record<string, unknown>>, where: string, tokens: Set<unknown>): void {
  const isWrite = kind === 'add' || kind === 'remove';
  if (isWrite !== (token !== undefined)) {
    throw strange(
      `${where}.token`,
      token,
      isWrite ? `one, since this step is "${kind}"` : 'none: it is for add and remove',
    );
  }
  if (kind === 'add') beNew(token, tokens, `${where}.token`);
  if (kind === 'remove' && !tokens.has(token)) throw strange(`${where}.token`, token, 'one that was added before');
}

function checkPossible(step: Readonly<Record<string, unknown>>, where: string, limits: PlanLimits): void {
  const kind = stepKinds.find(known => known === step.kind);
  if (kind !== undefined && !limits.can(kind))
    throw strange(`${where}.kind`, kind, 'a step of the journey of the scenario');
}

/** Its faults as they would stand in a scenario file: what is left to check is checked there. Throws `PlanProblem`. */
export function faultsAsWritten(faults: unknown): Readonly<Record<string, unknown>>[] {
  return listOf(faults, 'faults', faultsMax).map((fault, index) => {
    const where = `faults[${index}]`;
    const { id, trigger, do: action, target, options, forMs } = obeying(fault, faultRules, where);
    const own = isMap(options) ? options : {};
    const taken = Object.keys(own).find(key => besideOptions.includes(key));
    if (taken !== undefined)
      throw strange(`${where}.options`, taken, 'what this fault alone has, not a key of every fault');
    const length = forMs === undefined ? {} : { for: `${forMs}ms` };
    return { ...own, id, ...triggerAsWritten(trigger, `${where}.trigger`), do: action, target, ...length };
  });
}

function triggerAsWritten(trigger: unknown, where: string): Readonly<Record<string, string>> {
  if (!isMap(trigger)) throw strange(where, trigger, map.expected);
  if ('atMs' in trigger) return { at: `${obeying(trigger, triggerRules.at, where).atMs}ms` };
  if ('afterFault' in trigger) {
    const { afterFault, delayMs } = obeying(trigger, triggerRules.after, where);
    return { after: `${afterFault} + ${delayMs}ms` };
  }
  const { counter: counted, sinceFault, atLeast } = obeying(trigger, triggerRules.when, where);
  if (typeof counted !== 'string' || !isCounter(counted)) throw strange(`${where}.counter`, counted, counter.expected);
  const since = sinceFault === undefined ? {} : { sinceFault: String(sinceFault) };
  return { when: whenInWords({ counter: counted, ...since, atLeast: Number(atLeast) }) };
}

function optional(rule: Rule): Rule {
  return { ...rule, optional: true };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function listOf(value: unknown, where: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw strange(where, value, list.expected);
  if (value.length <= max) return value;
  throw new PlanProblem(`${where}: found ${value.length} entries, expected at most ${max}`);
}

function beNew(value: unknown, seen: Set<unknown>, where: string): void {
  if (seen.has(value)) throw new PlanProblem(`${where}: found ${shown(value)} a second time, expected each once`);
  seen.add(value);
}

/** A map with these keys, no others, and what they may hold. */
function obeying(value: unknown, rules: Rules, where: string): Readonly<Record<string, unknown>> {
  const at = (key: string): string => (where === '' ? key : `${where}.${key}`);
  if (!isMap(value))
    throw strange(where === '' ? 'the plan' : where, value, `a map of ${Object.keys(rules).join(', ')}`);
  for (const key in value) {
    if (!Object.hasOwn(rules, key)) {
      throw new PlanProblem(`${at(key)}: found an unknown key, expected ${Object.keys(rules).join(', ')}`);
    }
  }
  for (const key in rules) {
    const rule = rules[key];
    const found = Object.hasOwn(value, key) ? value[key] : undefined;
    if (rule === undefined || (rule.optional && found === undefined) || rule.accepts(found)) continue;
    throw strange(at(key), found, rule.expected);
  }
  return value;
}

function strange(where: string, found: unknown, expected: string): PlanProblem {
  return new PlanProblem(`${where}: found ${shown(found)}, expected ${expected}`);
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 60 ? `${json.slice(0, 60)}...` : json;
}
