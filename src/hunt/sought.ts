import type { ModeName } from '../modes.js';
import { type Expectation, parseExpectation, parseLine } from '../simulator/checker/verdict/expectations.js';
import { isProvenByOne } from '../simulator/checker/verdict/metrics.js';
import { expectationsOf, type Scenario } from '../simulator/scenario/scenario.js';

/** A member that does not come back is a failure in every run, whatever the file expects. */
const alwaysSought = 'members.notBack == 0';

/**
 * Returns the expectations to violate: those of the file, for this mode, that allow no case at all of a loss or a
 * defect (`writes.lost == 0`). One case is then a proof. Expectations about time, shares, errors or a window
 * are not sought: they depend on the times and lengths that the hunt changes, or on the machine. Pure.
 */
export function listSought(scenario: Scenario, mode: ModeName): readonly string[] {
  const lines = expectationsOf(scenario, mode).map(parseLine).filter(isInvariant);
  const texts = lines.map(({ metric }) => `${metric} == 0`);
  return texts.length === 0 ? [] : [...new Set([...texts, alwaysSought])];
}

function isInvariant({ metric, during, level, operator, number }: Expectation): boolean {
  const allowsNone = (operator === '==' || operator === '<=') && number === 0;
  return allowsNone && during === undefined && level !== 'warn' && isProvenByOne(metric);
}

const opposites: Readonly<Record<string, string>> = {
  '>': '<=',
  '>=': '<',
  '<': '>=',
  '<=': '>',
  '==': '!=',
  '!=': '==',
};

/** Returns the expectation that is violated exactly when `wanted` holds: for `--until`. Throws `ScenarioError` when it
 * cannot be parsed, or when every run meets it. Pure. */
export function negateExpectation(wanted: string): string {
  const { operator, text, metric } = parseExpectation(wanted);
  if (operator === '>' && /\s0\s*$/.test(text) && isProvenByOne(metric)) return text.replace('>', '==').trim();
  return text.replace(operator, opposites[operator] ?? operator).trim();
}
