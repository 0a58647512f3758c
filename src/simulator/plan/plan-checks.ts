import { formatWhen, isCounter } from '../faults/trigger.js';
import { type StepKind, stepKinds } from '../scenario/journey/mapping.js';
import { isMap } from '../scenario/yaml.js';
import { stepsMax, userNamePattern, usersMax } from './plan.js';
import type { PlannedUser } from './planned-user.js';

/** Says what is wrong with a plan from a file: `users[3].steps[0].kind: found "buy", expected …`. */
export class PlanProblem extends Error {}

/** The values that a key may have, and how to describe them. Hand-written for speed: a plan holds millions of steps. */
interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  readonly optional?: true;
}
type Rules = Readonly<Record<string, Rule>>;

const timeMsMax = 10 * 60_000;
/** The limit for scenarios holds for plans, too. */
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

/** The schema of plans. Version 0.1 wrote none; its plans had other users for the same seed, and no reads in tabs. */
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
/** Keys of every fault in a scenario file. Options stand next to them, so they must not use these names. */
const reservedKeys: readonly string[] = ['id', 'at', 'after', 'when', 'do', 'target', 'for'];
const triggerRules = {
  at: { atMs: milliseconds },
  after: { afterFault: text, delayMs: milliseconds },
  when: { counter, sinceFault: optional(text), atLeast: whole, delayMs: optional(milliseconds) },
} satisfies Readonly<Record<string, Rules>>;

/** Splits a plan into its four parts, without checking the parts. Throws `PlanProblem`. */
export function splitPlan(value: unknown): Readonly<Record<'scenario' | 'seed' | 'users' | 'faults', unknown>> {
  refuseOtherSchema(value);
  const { scenario, seed, users, faults } = requireMap(value, planRules, '');
  return { scenario, seed, users, faults };
}

function refuseOtherSchema(value: unknown): void {
  if (!isMap(value) || value.schema === planSchema) return;
  const isOld = value.schema === undefined && ['scenario', 'seed', 'users', 'faults'].every(key => key in value);
  if (value.schema === undefined && !isOld) return;
  const found = isOld ? 'a plan of version 0.1' : `a plan of schema ${shorten(value.schema)}`;
  const seed = typeof value.seed === 'number' ? value.seed : '<seed>';
  throw new PlanProblem(
    `schema: found ${found}, expected schema ${planSchema}. Run the scenario with --seed ${seed} to write a new plan`,
  );
}

/** The limits that the scenario sets for its users. */
export interface PlanLimits {
  /** Every step must be planned before this time. */
  readonly endMs: number;
  readonly can: (kind: StepKind) => boolean;
}

/** Asserts what the checker and the users rely on: names and tokens are unique, each user begins with a login, and time
 * does not go backwards. Throws `PlanProblem`. */
export function checkUsers(users: unknown, limits: PlanLimits): asserts users is PlannedUser[] {
  const all = requireList(users, 'users', usersMax);
  const names = new Set<unknown>();
  const tokens = new Set<unknown>();
  let steps = 0;
  for (const [index, user] of all.entries()) {
    const where = `users[${index}]`;
    const read = requireMap(user, userRules, where);
    assertUnique(read.name, names, `${where}.name`);
    const own = requireList(read.steps, `${where}.steps`, stepsMax - steps);
    steps += own.length;
    checkSteps(own, `${where}.steps`, limits, tokens);
  }
}

function checkSteps(steps: readonly unknown[], where: string, limits: PlanLimits, tokens: Set<unknown>): void {
  if (steps.length === 0) throw new PlanProblem(`${where}: found no step, expected a login at least`);
  let atMs = -1;
  for (const [index, step] of steps.entries()) {
    const place = `${where}[${index}]`;
    const read = requireMap(step, stepRules, place);
    if (index === 0 && read.kind !== 'login') throw newProblem(`${place}.kind`, read.kind, '"login" in the first step');
    if (Number(read.atMs) < atMs)
      throw newProblem(`${place}.atMs`, read.atMs, `at least the ${atMs} of the step before`);
    if (Number(read.atMs) >= limits.endMs)
      throw newProblem(`${place}.atMs`, read.atMs, `less than the ${limits.endMs} ms from warmup to recovery`);
    atMs = Number(read.atMs);
    checkToken(read, place, tokens);
    checkPossible(read, place, limits);
  }
}

function checkToken({ kind, token }: Readonly<Record<string, unknown>>, where: string, tokens: Set<unknown>): void {
  const isWrite = kind === 'add' || kind === 'remove';
  if (isWrite !== (token !== undefined)) {
    throw newProblem(
      `${where}.token`,
      token,
      isWrite ? `one, since this step is "${kind}"` : 'none: it is for add and remove',
    );
  }
  if (kind === 'add') assertUnique(token, tokens, `${where}.token`);
  if (kind === 'remove' && !tokens.has(token)) throw newProblem(`${where}.token`, token, 'one that was added before');
}

function checkPossible(step: Readonly<Record<string, unknown>>, where: string, limits: PlanLimits): void {
  const kind = stepKinds.find(known => known === step.kind);
  if (kind !== undefined && !limits.can(kind))
    throw newProblem(`${where}.kind`, kind, 'a step of the journey of the scenario');
}

/** Returns the faults in the form of a scenario file, whose parser checks the rest. Throws `PlanProblem`. */
export function toScenarioFaults(faults: unknown): Readonly<Record<string, unknown>>[] {
  return requireList(faults, 'faults', faultsMax).map((fault, index) => {
    const where = `faults[${index}]`;
    const { id, trigger, do: action, target, options, forMs } = requireMap(fault, faultRules, where);
    const own = isMap(options) ? options : {};
    const taken = Object.keys(own).find(key => reservedKeys.includes(key));
    if (taken !== undefined)
      throw newProblem(`${where}.options`, taken, 'what this fault alone has, not a key of every fault');
    const length = forMs === undefined ? {} : { for: `${forMs}ms` };
    return { ...own, id, ...toScenarioTrigger(trigger, `${where}.trigger`), do: action, target, ...length };
  });
}

function toScenarioTrigger(trigger: unknown, where: string): Readonly<Record<string, string>> {
  if (!isMap(trigger)) throw newProblem(where, trigger, map.expected);
  if ('atMs' in trigger) return { at: `${requireMap(trigger, triggerRules.at, where).atMs}ms` };
  if ('afterFault' in trigger) {
    const { afterFault, delayMs } = requireMap(trigger, triggerRules.after, where);
    return { after: `${afterFault} + ${delayMs}ms` };
  }
  const { counter: counted, sinceFault, atLeast, delayMs } = requireMap(trigger, triggerRules.when, where);
  if (typeof counted !== 'string' || !isCounter(counted))
    throw newProblem(`${where}.counter`, counted, counter.expected);
  const since = sinceFault === undefined ? {} : { sinceFault: String(sinceFault) };
  const delay = delayMs === undefined ? {} : { delayMs: Number(delayMs) };
  return { when: formatWhen({ counter: counted, ...since, atLeast: Number(atLeast), ...delay }) };
}

function optional(rule: Rule): Rule {
  return { ...rule, optional: true };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function requireList(value: unknown, where: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw newProblem(where, value, list.expected);
  if (value.length <= max) return value;
  throw new PlanProblem(`${where}: found ${value.length} entries, expected at most ${max}`);
}

function assertUnique(value: unknown, seen: Set<unknown>, where: string): void {
  if (seen.has(value)) throw new PlanProblem(`${where}: found ${shorten(value)} a second time, expected each once`);
  seen.add(value);
}

/** Returns the value if it is a map with only these keys and allowed values. Throws `PlanProblem`. */
function requireMap(value: unknown, rules: Rules, where: string): Readonly<Record<string, unknown>> {
  const at = (key: string): string => (where === '' ? key : `${where}.${key}`);
  if (!isMap(value))
    throw newProblem(where === '' ? 'the plan' : where, value, `a map of ${Object.keys(rules).join(', ')}`);
  for (const key in value) {
    if (!Object.hasOwn(rules, key)) {
      throw new PlanProblem(`${at(key)}: found an unknown key, expected ${Object.keys(rules).join(', ')}`);
    }
  }
  for (const key in rules) {
    const rule = rules[key];
    const found = Object.hasOwn(value, key) ? value[key] : undefined;
    if (rule === undefined || (rule.optional && found === undefined) || rule.accepts(found)) continue;
    throw newProblem(at(key), found, rule.expected);
  }
  return value;
}

function newProblem(where: string, found: unknown, expected: string): PlanProblem {
  return new PlanProblem(`${where}: found ${shorten(found)}, expected ${expected}`);
}

function shorten(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 60 ? `${json.slice(0, 60)}...` : json;
}
