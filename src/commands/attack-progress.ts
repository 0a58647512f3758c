import { type Finding, judge } from '../attacks/finding.js';
import type { PlannedSystem } from '../attacks/plan.js';
import { bar, drawLine, isLive } from './live-line.js';

/** Tells of a run of attacks while it goes on: one live line on a terminal, two plain lines per system elsewhere. On stderr. */
export interface AttackProgress {
  readonly show: (system: PlannedSystem, findings: readonly Finding[] | undefined) => void;
  readonly end: () => void;
}

export function showAttacks(systems: number): AttackProgress {
  return isLive() ? liveLine(systems) : { show: plainLine, end: () => {} };
}

function plainLine(system: PlannedSystem, findings: readonly Finding[] | undefined): void {
  const { length } = system.attacks;
  const said = findings === undefined ? `${length} ${length === 1 ? 'attack' : 'attacks'}` : saidOf(findings);
  process.stderr.write(`${nameOf(system)}: ${said}\n`);
}

/** What is not as it should be stays on the screen. */
function liveLine(systems: number): AttackProgress {
  const running = new Set<string>();
  let done = 0;
  const show: AttackProgress['show'] = (system, findings) => {
    const name = nameOf(system);
    if (findings === undefined) running.add(name);
    else {
      running.delete(name);
      done += 1;
      drawLine('');
      if (wrongIn(findings) > 0) process.stderr.write(`${name}: ${saidOf(findings)}\n`);
    }
    drawLine(`attacks ${bar(done / systems)} ${done} of ${systems} systems · ${[...running].join(' · ')}`);
  };
  return { show, end: () => drawLine('') };
}

function nameOf({ mode, variantName, shortLimits }: PlannedSystem): string {
  return [mode, variantName, shortLimits ? 'short limits' : undefined].filter(Boolean).join(', ');
}

function saidOf(findings: readonly Finding[]): string {
  const wrong = wrongIn(findings);
  return wrong === 0 ? 'as it should be' : `${wrong} not as it should be`;
}

function wrongIn(findings: readonly Finding[]): number {
  return findings.filter(finding => judge(finding) !== 'pass').length;
}
