import { isModeName } from '../../modes.js';
import { parseExpectation } from '../checker/expectations.js';
import { strangeWindow, type Window } from '../checker/windows.js';
import { ScenarioError } from '../errors.js';
import { scenarioParts } from './schema.js';
import { field, isMap, listIn, read } from './written.js';
import type { Problem } from './yaml.js';

/** What is expected must be of a mode that is run, and of a part of the run that there is. */
export function expectationProblems(file: unknown): Problem[] {
  return [...modeProblems(file), ...windowProblems(file)];
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
      const message = `found expectations of the mode "${mode}", expected a mode of this scenario: ${modes.join(', ')}. Add it to modes or take them out`;
      return { path: ['expect', mode], message, at: 'key' };
    });
}

function windowProblems(file: unknown): Problem[] {
  const expect = field(file, 'expect');
  return Object.keys(isMap(expect) ? expect : {}).flatMap(mode =>
    listIn(expect, mode).flatMap((line, index) => {
      const path = ['expect', mode, index, ...(isMap(line) ? ['warn'] : [])];
      const window = windowOf(isMap(line) ? line.warn : line);
      const message = window && (strangeWindow(window, faultIds(file)) ?? emptyWindow(window, file));
      return message === undefined ? [] : [{ path, message }];
    }),
  );
}

/** Undefined when it has none, and when it does not parse: that is said elsewhere. */
function windowOf(line: unknown): Window | undefined {
  if (typeof line !== 'string') return undefined;
  try {
    return parseExpectation(line).during;
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

/** What nothing can be planned for, whatever the seed. */
function emptyWindow(window: Window, file: unknown): string | undefined {
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
