import type { JudgedRun } from '../simulator/checker/verdict.js';
import type { Matrix } from './matrix.js';

/** Schema 1: fields are added, never renamed. */
export function matrixJson({ columns, rows }: Matrix, runs: readonly JudgedRun[]): string {
  const ofScenario = new Map(runs.map(({ run: { header } }) => [header.scenario, header]));
  const whole = {
    schema: 1,
    modes: columns,
    rows: rows.map(({ scenario, cells }) => {
      const { why, seed } = ofScenario.get(scenario) ?? {};
      return { scenario, why, seed, cells: cells.map(({ scenario: _, ...cell }) => cell) };
    }),
    problems: problemsOf(runs),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** Returns for every run that is no pass which it was, and why. */
export function problemsOf(runs: readonly JudgedRun[]) {
  return runs
    .filter(({ verdict }) => verdict.word !== 'pass')
    .map(({ run: { header }, verdict }) => ({
      scenario: header.scenario,
      mode: header.mode,
      word: verdict.word,
      reasons: verdict.reasons,
    }));
}
