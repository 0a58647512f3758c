import { parseLine } from '../checker/verdict/expectations.js';
import type { ExpectationLine } from '../history/records.js';
import type { Scenario } from './scenario.js';

/** Phases of the short form. They are long enough to show which users are logged out and which writes are lost. */
const warmupMs = 200;
const baselineMs = 700;
/** The report measures recovery only if load goes on for two seconds after the last healing, which can end late. */
const recoveryMs = 2_400;
const quiesceMs = 200;
const usersMax = 30;
const ratePerSecondMax = 40;

/**
 * Returns the scenario with fewer users and shorter phases before and after the faults. System, faults and expectations
 * stay the same; only moments of the run (`during 2s..5s`) move with the phases. A scenario without a fault stays
 * unchanged, because it needs its full load; so does one with fixed users, because its times belong together. Pure.
 */
export function buildShortForm(scenario: Scenario): Scenario {
  if (scenario.faults.length === 0 || scenario.users.plan !== undefined) return scenario;
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

/** Returns the time of arrivals. Users still arrive after the baseline: a new backend may need them. */
function arrivalsMs(forMs: number, from: Scenario['phases'], to: Scenario['phases']): number {
  const [fromMs, toMs] = [from.warmupMs + from.baselineMs, to.warmupMs + to.baselineMs];
  return Math.min(forMs, toMs) + Math.max(0, forMs - fromMs);
}

function mapLines(expect: Scenario['expect'], map: (line: ExpectationLine) => ExpectationLine) {
  return Object.fromEntries(Object.entries(expect).map(([mode, lines = []]) => [mode, lines.map(map)]));
}

/** Moves a window of two moments. Leaves every other line unchanged. */
function moveWindow(line: ExpectationLine, move: (ms: number) => number): ExpectationLine {
  const { during } = parseLine(line);
  if (during === undefined || !('fromMs' in during)) return line;
  const fromMs = Math.round(move(during.fromMs));
  const untilMs = Math.max(fromMs + 1, Math.round(move(during.untilMs)));
  const rewrite = (text: string) => text.replace(/\bduring\s+\S+?\.\.[\d.]+[a-z]+/, `during ${fromMs}ms..${untilMs}ms`);
  return typeof line === 'string' ? rewrite(line) : { ...line, warn: rewrite(line.warn) };
}

/** Moves a moment: linearly within each phase. After the last phase it keeps its distance from the end. */
function moveMoment(ms: number, from: Scenario['phases'], to: Scenario['phases']): number {
  let [fromStart, toStart] = [0, 0];
  for (const phase of ['warmupMs', 'baselineMs', 'faultsMs', 'recoveryMs', 'quiesceMs'] as const) {
    if (ms < fromStart + from[phase]) return toStart + ((ms - fromStart) * to[phase]) / from[phase];
    fromStart += from[phase];
    toStart += to[phase];
  }
  return toStart + ms - fromStart;
}
