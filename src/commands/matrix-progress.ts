import type { JudgedRun } from '../simulator/checker/verdict.js';
import { bar, drawLine, isLive } from './live-line.js';
import type { MatrixProgress } from './run-matrix.js';

/** Shows a matrix while it runs, on stderr: one live line on a terminal, a plain line per cell elsewhere. */
export function showMatrix(): { readonly show: (progress: MatrixProgress) => void; readonly end: () => void } {
  if (!isLive()) return { show: plainLine, end: () => {} };
  return { show: liveLine, end: () => drawLine('') };
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
