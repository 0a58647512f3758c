import { isModeName } from '../../../modes.js';
import { unknownName } from '../../../shared/unknown-name.js';
import { type Expectation, parseExpectation } from '../../checker/verdict/expectations.js';
import { memberOf } from '../../checker/verdict/metrics.js';
import { describeUnknownWindow, type Window } from '../../checker/verdict/windows.js';
import { specsFrom } from '../../cluster/stores/registry.js';
import { targetsOf } from '../../cluster/targets.js';
import { ScenarioError } from '../../errors.js';
import { type StepKind, stepKinds } from '../journey/mapping.js';
import { scenarioParts } from '../schema.js';
import { field, isMap, listIn, type Problem, read } from '../yaml.js';

/** Finds expectations about a mode that is not run, a window that does not exist, or an unknown member. */
export function expectationProblems(file: unknown): Problem[] {
  return [...modeProblems(file), ...lineProblems(file)];
}

function modeProblems(file: unknown): Problem[] {
  const expect = field(file, 'expect');
  const modes = read(scenarioParts.modeList, field(file, 'modes')) ?? [];
  if (!isMap(expect) || modes.length === 0) return [];
  const others = modes.filter(mode => !Object.hasOwn(expect, mode));
  if (Object.hasOwn(expect, 'others') && others.length === 0) {
    const message = 'found expectations of other modes, but every mode of this scenario has a list of its own';
    return [{ path: ['expect', 'others'], message, at: 'key' }];
  }
  return Object.keys(expect)
    .filter(key => isModeName(key) && !modes.includes(key))
    .map(mode => {
      const message = `found expectations of the mode "${mode}", expected a mode of this scenario: ${modes.join(', ')}. Add it to modes, or remove the expectations`;
      return { path: ['expect', mode], message, at: 'key' };
    });
}

function lineProblems(file: unknown): Problem[] {
  const expect = field(file, 'expect');
  return Object.keys(isMap(expect) ? expect : {}).flatMap(mode =>
    listIn(expect, mode).flatMap((line, index) => {
      const path = ['expect', mode, index, ...(isMap(line) ? ['warn'] : [])];
      const expectation = parseIfValid(isMap(line) ? line.warn : line);
      const message = expectation && lineProblem(expectation, file);
      return message === undefined ? [] : [{ path, message }];
    }),
  );
}

function lineProblem(expectation: Expectation, file: unknown): string | undefined {
  return windowProblem(expectation, file) ?? memberProblem(expectation, file) ?? journeyProblem(expectation, file);
}

/** Parts that a journey in the file needs before a metric can be anything but 0. */
const journeyNeeds: Readonly<Record<string, { readonly part: string; isThere(users: unknown): boolean }>> = {
  'users.identitySwapped': { part: '"who" in one of its steps', isThere: users => hasWho(field(users, 'journey')) },
  'users.logoutNotHonoured': { part: 'a step "logout"', isThere: users => hasStep(users, 'logout') },
  'users.sessionKept': { part: 'users.cookie', isThere: users => field(users, 'cookie') !== undefined },
  'writes.resurrected': { part: 'a step "remove"', isThere: users => hasStep(users, 'remove') },
};

function journeyProblem({ metric }: Expectation, file: unknown): string | undefined {
  const users = field(file, 'users');
  const needed = journeyNeeds[metric];
  if (needed === undefined || !isMap(field(users, 'journey')) || needed.isThere(users)) return undefined;
  return `found ${metric}, but the journey of this file cannot measure it without ${needed.part}: add that, or remove the line`;
}

function hasStep(users: unknown, kind: StepKind): boolean {
  return field(field(users, 'journey'), kind) !== undefined;
}

function hasWho(journey: unknown): boolean {
  return stepKinds.some(kind => field(field(journey, kind), 'who') !== undefined);
}

function windowProblem({ during }: Expectation, file: unknown): string | undefined {
  return during && (describeUnknownWindow(during, faultIds(file)) ?? explainEmptyWindow(during, file));
}

function memberProblem({ metric }: Expectation, file: unknown): string | undefined {
  const member = memberOf(metric);
  const system = read(scenarioParts.targetSystem, field(file, 'system') ?? {});
  if (member === undefined || system === undefined) return undefined;
  if (field(field(file, 'system'), 'target') !== undefined)
    return `found ${metric}, but a system under system.target has no members that are counted: remove the line`;
  const { backends, proxies } = targetsOf({ backends: system.backends, proxy: system.proxy, ...specsFrom(system) });
  const known = backends.filter(name => name !== 'backend-any');
  if (proxies.length > 1) known.push(...proxies);
  else if (proxies.includes(member))
    return `found "${member}", but the answers of a single proxy are not counted separately, expected ${known.join(' or ')}`;
  return known.includes(member) ? undefined : unknownName('member', member, known);
}

/** Parses a line; undefined when that fails. The schema reports the mistake. */
function parseIfValid(line: unknown): Expectation | undefined {
  if (typeof line !== 'string') return undefined;
  try {
    return parseExpectation(line);
  } catch (error) {
    if (error instanceof ScenarioError) return undefined;
    throw error;
  }
}

function faultIds(file: unknown): string[] {
  return listIn(file, 'faults').flatMap(fault => {
    const id = field(fault, 'id');
    return typeof id === 'string' ? [id] : [];
  });
}

/** Says why a window is always empty, whatever the seed; undefined when it is not. */
function explainEmptyWindow(window: Window, file: unknown): string | undefined {
  const phases = read(scenarioParts.phases, field(file, 'phases') ?? {});
  if (phases === undefined || 'fault' in window) return undefined;
  if ('phase' in window) {
    if (phases[window.phase] > 0) return undefined;
    return `found an expectation of the phase ${window.phase}, which lasts 0ms: lengthen phases.${window.phase}, or choose another window`;
  }
  const endMs = phases.warmup + phases.baseline + phases.faults + phases.recovery;
  if (window.untilMs <= endMs) return undefined;
  return `found a window until ${window.untilMs}ms, expected at most the ${endMs}ms from warmup to recovery`;
}
