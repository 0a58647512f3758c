import { parseLine } from '../checker/verdict/expectations.js';
import type { ExpectationLine } from '../history/records.js';
import type { Scenario } from './scenario.js';

/** Long enough to see who is logged out and what is lost. */
const warmupMs = 200;
const baselineMs = 700;
/** Recovery is measured only with two seconds of load after the last healing, which may end a little late. */
const recoveryMs = 2_400;
const quiesceMs = 200;
const usersMax = 30;
const ratePerSecondMax = 40;

/**
 * Pure. The same system, the same faults and the same demands, with fewer users and less time before and after the
 * faults. Every expectation stays as written; only moments of the run (`during 2s..5s`) move with the phases.
 * A scenario without a fault shows something by how much is done in it, so it stays as it is.
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
  const moveLine = (line: ExpectationLine) => moveWindow(line, ms => moveMoment(ms, phases, shorter));
  return {
    ...scenario,
    phases: shorter,
    users: {
      ...users,
      arrivals: {
        ...arrivals,
        ratePerSecond: Math.min(ratePerSecondMax, arrivals.ratePerSecond),
        forMs: arrivalsMs(arrivals.forMs, phases, shorter),
        maxActive: Math.min(usersMax, arrivals.maxActive),
      },
    },
    expect: { ...mapLines(scenario.expect, moveLine), any: scenario.expect.any.map(moveLine) },
  };
}

/** Users that arrive after the baseline do so in the short form, too: a new backend may need them. */
function arrivalsMs(forMs: number, from: Scenario['phases'], to: Scenario['phases']): number {
  const [fromMs, toMs] = [from.warmupMs + from.baselineMs, to.warmupMs + to.baselineMs];
  return Math.min(forMs, toMs) + Math.max(0, forMs - fromMs);
}

function mapLines(expect: Scenario['expect'], map: (line: ExpectationLine) => ExpectationLine) {
  return Object.fromEntries(Object.entries(expect).map(([mode, lines = []]) => [mode, lines.map(map)]));
}

/** A window of two moments, moved; every other line as it is. */
function moveWindow(line: ExpectationLine, move: (ms: number) => number): ExpectationLine {
  const { during } = parseLine(line);
  if (during === undefined || !('fromMs' in during)) return line;
  const fromMs = Math.round(move(during.fromMs));
  const untilMs = Math.max(fromMs + 1, Math.round(move(during.untilMs)));
  const rewrite = (text: string) => text.replace(/\bduring\s+\S+?\.\.[\d.]+[a-z]+/, `during ${fromMs}ms..${untilMs}ms`);
  return typeof line === 'string' ? rewrite(line) : { ...line, warn: rewrite(line.warn) };
}

/** Linear within each phase; what comes after the last phase keeps its distance from the end. */
function moveMoment(ms: number, from: Scenario['phases'], to: Scenario['phases']): number {
  let [fromStart, toStart] = [0, 0];
  for (const phase of ['warmupMs', 'baselineMs', 'faultsMs', 'recoveryMs', 'quiesceMs'] as const) {
    if (ms < fromStart + from[phase]) return toStart + ((ms - fromStart) * to[phase]) / from[phase];
    fromStart += from[phase];
    toStart += to[phase];
  }
  return toStart + ms - fromStart;
}
