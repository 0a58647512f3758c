import type { JudgedRun } from '../simulator/checker/verdict.js';
import { bar, drawLine, isLive } from './live-line.js';
import type { Cell, MatrixProgress } from './run-matrix.js';

export interface MatrixLine {
  readonly show: (progress: MatrixProgress) => void;
  /** Names the cells that run once more. */
  readonly sayAgain: (cells: readonly Cell[]) => void;
  readonly end: () => void;
}

/** Shows a matrix while it runs, on stderr: one live line on a terminal, a plain line per cell elsewhere. */
export function showMatrix(): MatrixLine {
  if (!isLive()) return { show: plainLine, sayAgain, end: () => {} };
  const sayAgainLive: MatrixLine['sayAgain'] = cells => {
    drawLine('');
    sayAgain(cells);
  };
  return { show: liveLine, sayAgain: sayAgainLive, end: () => drawLine('') };
}

function sayAgain(cells: readonly Cell[]): void {
  const names = cells.map(({ scenario, mode }) => `${scenario.name}/${mode}`);
  process.stderr.write(
    `\rinconclusive, or the machine was busy; trying once more, one at a time: ${names.join(', ')}\n`,
  );
}

function plainLine({ done, total, leftMs, judged, atOnce }: MatrixProgress): void {
  const what = judged === undefined ? 'begun' : saidOf(judged);
  process.stderr.write(`matrix ${done} of ${total}, ${labs(atOnce)}${leftOf(leftMs)}: ${what}\n`);
}

function liveLine({ done, total, leftMs, judged, atOnce }: MatrixProgress): void {
  const what = judged === undefined ? '' : ` · ${saidOf(judged)}`;
  drawLine(`matrix ${bar(done / Math.max(1, total))} ${done} of ${total}, ${labs(atOnce)}${leftOf(leftMs)}${what}`);
}

function labs(atOnce: number): string {
  return atOnce === 1 ? 'one lab at a time' : `${atOnce} labs side by side`;
}

function saidOf({ run: { header }, findings: { users, writes } }: JudgedRun): string {
  return `${header.scenario} in ${header.mode}: ${users.loggedOut} of ${users.total} logged out, ${writes.lost} of ${writes.acknowledged} writes lost`;
}

function leftOf(leftMs: number | undefined): string {
  if (leftMs === undefined) return '';
  const seconds = Math.round(leftMs / 1000);
  return seconds < 60 ? `, about ${seconds} s left` : `, about ${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
}
