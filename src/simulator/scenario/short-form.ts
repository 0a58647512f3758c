import { demandsLoss, isUpperLimit, parseLine } from '../checker/expectations.js';
import type { ExpectationLine } from '../history/records.js';
import type { Scenario } from './scenario.js';

/** So much is enough to see whether somebody is logged out, or something lost. */
const warmupMs = 200;
const baselineMs = 700;
const recoveryMs = 1_500;
const quiesceMs = 200;
const usersMax = 30;
const ratePerSecondMax = 40;

/**
 * The same system, the same faults on the same timeline and the same question, with fewer users and less waiting before
 * and after. Expected is what can be held against so few: which modes lose something and which nothing, and no defect.
 * A scenario without a fault shows something by how much is done in it, and so it stays as it is. Pure.
 */
export function shortForm(scenario: Scenario): Scenario {
  if (scenario.faults.length === 0) return scenario;
  const { phases, users } = scenario;
  const { arrivals } = users;
  const shorter = {
    ...phases,
    warmupMs: Math.min(warmupMs, phases.warmupMs),
    baselineMs: Math.min(baselineMs, phases.baselineMs),
    recoveryMs: Math.min(recoveryMs, phases.recoveryMs),
    quiesceMs: Math.min(quiesceMs, phases.quiesceMs),
  };
  return {
    ...scenario,
    phases: shorter,
    users: {
      ...users,
      arrivals: {
        ...arrivals,
        ratePerSecond: Math.min(ratePerSecondMax, arrivals.ratePerSecond),
        forMs: Math.min(arrivals.forMs, shorter.warmupMs + shorter.baselineMs),
        maxActive: Math.min(usersMax, arrivals.maxActive),
      },
    },
    expect: { ...mapped(scenario.expect), any: scenario.expect.any.flatMap(ofSoFew) },
  };
}

function mapped(expect: Scenario['expect']): Record<string, ExpectationLine[]> {
  return Object.fromEntries(Object.entries(expect).map(([mode, lines = []]) => [mode, lines.flatMap(ofSoFew)]));
}

/** A demand of loss becomes "some", a limit stays; what is about requests and time says nothing of so few. */
function ofSoFew(line: ExpectationLine): ExpectationLine[] {
  const expectation = parseLine(line);
  const { metric, level, during } = expectation;
  if (level !== undefined || during !== undefined) return [];
  if (demandsLoss(expectation)) return [`${metric} > 0`];
  return isUpperLimit(expectation) && /^(?:users|writes)\./.test(metric) ? [line] : [];
}
