import { isModeName, type ModeName } from '../../modes.js';
import { unknownName } from '../../shared/unknown-name.js';
import {
  describeUnknownWindow,
  type Expectation,
  parseExpectation,
  type Window,
} from '../checker/verdict/expectations.js';
import { memberOf } from '../checker/verdict/metrics.js';
import { labVariables } from '../cluster/backend.js';
import { specsFrom } from '../cluster/stores/registry.js';
import {
  describeUnknownTarget,
  memberNumber,
  resolveTargetName,
  type TargetSystem,
  targetsOf,
} from '../cluster/targets.js';
import { ScenarioError } from '../errors.js';
import { faults as registry } from '../faults/kinds/registry.js';
import { phaseNames } from '../history/records.js';
import { explainNotOurs, explainUnfit } from './applicable-faults.js';
import { type StepKind, stepKinds } from './journey/mapping.js';
import { externalProxyProblems, ownAppProblems } from './own-system.js';
import { type FaultInFile, scenarioParts, toMembers } from './schema.js';
import { userProblems } from './users.js';
import { field, isMap, listIn, type Problem, read } from './yaml.js';

/**
 * Finds problems between parts of the file, which no single value shows. Takes the file as written and checks all parts
 * that can be read, so that one mistake does not hide the others.
 */
export function crossProblems(file: unknown): Problem[] {
  const faults = listIn(file, 'faults');
  return [
    ...triggerProblems(file),
    ...faults.flatMap((fault, index) => targetProblems(file, fault, index)),
    ...arrivalProblems(file),
    ...userProblems(file, endMsIn(file)),
    ...expectationProblems(file),
    ...ownAppProblems(file, labVariables),
    ...externalProxyProblems(file),
  ];
}

function targetProblems(file: unknown, fault: unknown, index: number): Problem[] {
  const target = field(fault, 'target');
  const system = systemIn(file);
  if (typeof target !== 'string' || system === undefined) return [];
  // Problems of system.members are reported by the schema.
  const hasUnread = system.members === undefined && field(field(file, 'system'), 'members') !== undefined;
  if (hasUnread && memberNumber(target) !== undefined) return [];
  const path = ['faults', index, 'target'];
  const strange = describeUnknownTarget(target, targetsOf(system)) ?? explainNotOurs(target, system);
  if (strange !== undefined) return [{ path, message: strange }];
  const modes = modesIn(file);
  const storeless = modes.filter(mode => resolveTargetName(mode, target, system) === undefined);
  if (storeless.length > 0) return [{ path, message: explainNoServer(target, storeless) }];
  const action = read(scenarioParts.action, field(fault, 'do'));
  if (action === undefined) return [];
  // Problems of the fault itself are reported by the schema.
  const options = read(scenarioParts.fault, fault) === undefined ? undefined : fault;
  const messages = modes.map(mode =>
    explainUnfit(action, resolveTargetName(mode, target, system) ?? target, options, system),
  );
  return messages.flatMap(message => (message === undefined ? [] : [{ path, message }])).slice(0, 1);
}

function systemIn(file: unknown): TargetSystem | undefined {
  const system = read(scenarioParts.targetSystem, field(file, 'system') ?? {});
  const isRunning = field(field(file, 'system'), 'target') !== undefined;
  const members = read(scenarioParts.members, field(field(file, 'system'), 'members'));
  return (
    system && {
      isRunning,
      members: members && toMembers(members),
      backends: system.backends,
      proxy: system.proxy,
      ...specsFrom(system),
    }
  );
}

function explainNoServer(target: string, modes: readonly ModeName[]): string {
  return `found "${target}", but mode ${modes.join(', ')} has no store server: remove it from modes, for example modes: [shared]`;
}

function modesIn(file: unknown): readonly ModeName[] {
  return read(scenarioParts.modeList, field(file, 'modes')) ?? [];
}

/** Returns the time from the start of the warmup to the end of the recovery; undefined if no phases can be read. */
function endMsIn(file: unknown): number | undefined {
  const phases = read(scenarioParts.phases, field(file, 'phases') ?? {});
  return phases && phases.warmup + phases.baseline + phases.faults + phases.recovery;
}

function arrivalProblems(file: unknown): Problem[] {
  const endMs = endMsIn(file);
  const forMs = read(scenarioParts.users.shape.arrivals, field(field(file, 'users'), 'arrivals'))?.for;
  if (endMs === undefined || forMs === undefined || forMs <= endMs) return [];
  const message = `found arrivals that last ${forMs}ms, expected at most the ${endMs}ms from warmup to recovery`;
  return [{ path: ['users', 'arrivals', 'for'], message }];
}

/** Finds faults with an ambiguous id, no single trigger, a wait for a later fault, or too little time in the phase. */
function triggerProblems(file: unknown): Problem[] {
  const faults = listIn(file, 'faults');
  return [
    ...faults.flatMap((fault, index) => [
      ...idProblems(faults, fault, index),
      ...triggerCountProblems(fault, index),
      ...waitingProblems(faults, fault, index),
      ...beyondProblems(file, fault, index),
    ]),
    ...timeProblems(file, faults),
  ];
}

function idsBefore(faults: readonly unknown[], index: number): unknown[] {
  return faults.slice(0, index).map(other => field(other, 'id'));
}

function idProblems(faults: readonly unknown[], fault: unknown, index: number): Problem[] {
  const id = field(fault, 'id');
  const path = ['faults', index, 'id'];
  if (id !== undefined && idsBefore(faults, index).includes(id)) {
    return [{ path, message: `found the id "${id}" a second time, expected each id once` }];
  }
  if (!phaseNames.some(name => name === id)) return [];
  const message = `found the id "${id}", which is the name of a phase, expected another id: "during ${id}" would have two meanings`;
  return [{ path, message }];
}

function triggerCountProblems(fault: unknown, index: number): Problem[] {
  const found = ['at', 'after', 'when'].filter(key => field(fault, key) !== undefined).map(key => `"${key}"`);
  if (found.length === 1 || !isMap(fault)) return [];
  const what = found.length === 0 ? 'none of "at", "after" and "when"' : found.join(' and ');
  return [{ path: ['faults', index], message: `found ${what}, expected one of the three` }];
}

/** Finds faults that wait for a later one. Only earlier ones are allowed, so that no two faults wait for each other. */
function waitingProblems(faults: readonly unknown[], fault: unknown, index: number): Problem[] {
  const waitsFor = {
    after: read(scenarioParts.after, field(fault, 'after'))?.id,
    when: read(scenarioParts.when, field(fault, 'when'))?.sinceFault,
  };
  const earlier = idsBefore(faults, index);
  return Object.entries(waitsFor).flatMap(([key, id]) => {
    if (id === undefined || earlier.includes(id)) return [];
    return [{ path: ['faults', index, key], message: explainNoEarlierFault(id, earlier, key) }];
  });
}

/** Finds a wait for more users than ever arrive. Other counts cannot be checked before the run. */
function beyondProblems(file: unknown, fault: unknown, index: number): Problem[] {
  const when = read(scenarioParts.when, field(fault, 'when'));
  const most = read(scenarioParts.users.shape.arrivals, field(field(file, 'users'), 'arrivals'))?.['max-active'];
  if (when?.counter !== 'users.total' || most === undefined || when.atLeast <= most) return [];
  const message = `found ${when.atLeast} users, expected at most the ${most} that ever arrive: users.arrivals.max-active`;
  return [{ path: ['faults', index, 'when'], message }];
}

function explainNoEarlierFault(id: string, earlier: readonly unknown[], key: string): string {
  const ids = earlier.filter(other => typeof other === 'string');
  if (ids.length > 0) return unknownName('earlier fault', id, ids);
  const instead = key === 'after' ? 'write at: 0s' : `remove "since ${id}"`;
  return `found "${id}", expected the id of an earlier fault, but this is the first: ${instead}`;
}

/**
 * Finds faults that cannot fit into the faults phase. It computes the earliest possible times: how long injection,
 * confirmation and healing take is known only in the run. It treats a fault that waits for a count as immediate.
 */
function timeProblems(file: unknown, faults: readonly unknown[]): Problem[] {
  const phases = read(scenarioParts.phases, field(file, 'phases') ?? {});
  if (phases === undefined) return [];
  const earliest = new Map<string, Earliest>();
  return faults.flatMap((written, index) => {
    const fault = read(scenarioParts.fault, written);
    const startMs = fault === undefined ? undefined : earliestMs(fault, earliest);
    if (fault === undefined || startMs === undefined) return [];
    const forMs = fault.for ?? registry[fault.do]?.lengthMs?.(written);
    const endMs = startMs + (forMs ?? 0);
    earliest.set(fault.id, { startMs, endMs });
    if (endMs <= phases.faults) return [];
    return [problemOfTooLate({ ...fault, for: forMs }, index, startMs, phases.faults)];
  });
}

interface Earliest {
  readonly startMs: number;
  readonly endMs: number;
}

function earliestMs({ at, after, when }: FaultInFile, earliest: ReadonlyMap<string, Earliest>): number | undefined {
  if (at !== undefined) return at;
  if (when !== undefined) {
    const sinceMs = when.sinceFault === undefined ? 0 : earliest.get(when.sinceFault)?.startMs;
    return sinceMs === undefined ? undefined : sinceMs + (when.delayMs ?? 0);
  }
  const endMs = earliest.get(after?.id ?? '')?.endMs;
  return after === undefined || endMs === undefined ? undefined : endMs + after.delayMs;
}

function problemOfTooLate(fault: FaultInFile, index: number, startMs: number, phaseMs: number): Problem {
  const expected = `after the faults phase began at the earliest, expected at most ${phaseMs}ms: lengthen phases.faults or`;
  if (fault.for === undefined) {
    const key = ['at', 'after', 'when'].find(name => field(fault, name) !== undefined) ?? 'do';
    const message = `found a fault that strikes ${startMs}ms ${expected} let it strike sooner`;
    return { path: ['faults', index, key], message };
  }
  const message = `found a fault that heals ${startMs + fault.for}ms ${expected} shorten "for"`;
  return { path: ['faults', index, 'for'], message };
}

/** Finds expectations about a mode that is not run, a window that does not exist, or an unknown member. */
function expectationProblems(file: unknown): Problem[] {
  return [...modeProblems(file), ...lineProblems(file)];
}

function modeProblems(file: unknown): Problem[] {
  const expect = field(file, 'expect');
  const modes = modesIn(file);
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
