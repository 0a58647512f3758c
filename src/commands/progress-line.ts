import type { Progress } from '../simulator/progress.js';
import { errorColours } from './streams.js';

/** Draws a run while it goes on: one live line on a terminal, plain lines per phase and fault elsewhere. On stderr. */
export interface ProgressLine {
  readonly show: (progress: Progress) => void;
  readonly end: () => void;
}

export function showProgress(scenario: string): ProgressLine {
  const live = process.stderr.isTTY === true && process.env.CI === undefined;
  return live ? liveLine(scenario) : plainLines(scenario);
}

function plainLines(scenario: string): ProgressLine {
  const show = (progress: Progress) => {
    const text = sayEdge(progress);
    if (text !== undefined) process.stderr.write(`${scenario}/${progress.mode}: ${text}\n`);
  };
  return { show, end: () => {} };
}

function liveLine(scenario: string): ProgressLine {
  let phase = '';
  const draw = (text: string) =>
    process.stderr.write(`\r\u001b[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  const show = (progress: Progress) => {
    if (progress.kind === 'fault') {
      draw('');
      process.stderr.write(`\r${errorColours().dim(`${scenario}/${progress.mode}:`)} ${sayEdge(progress)}\n`);
    } else if (progress.kind === 'tick') {
      draw(
        `${scenario}/${progress.mode} ${bar(progress.atMs / progress.totalMs)} ${phase} · ${progress.requests} requests, ${progress.problems} not ok`,
      );
    } else {
      phase = sayEdge(progress) ?? phase;
      draw(`${scenario}/${progress.mode} ${phase}`);
    }
  };
  return { show, end: () => draw('') };
}

function sayEdge(progress: Progress): string | undefined {
  switch (progress.kind) {
    case 'starting':
      return `starting ${progress.members.join(', ')}`;
    case 'phase':
      return `${progress.phase} (${(progress.lastsMs / 1000).toFixed(1)} s)`;
    case 'fault':
      return `fault ${progress.id} ${progress.what.replace('-', ' ')}`;
    case 'tick':
      return undefined;
  }
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * 16);
  return '█'.repeat(filled) + '░'.repeat(16 - filled);
}
