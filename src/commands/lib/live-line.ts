import type { Progress } from '../../simulator/run/journal.js';
import { errorColours } from './streams.js';

/** Returns whether stderr can show a line that is overwritten: it is a terminal and not the log of a CI. */
export function isLive(): boolean {
  return process.stderr.isTTY === true && process.env.CI === undefined;
}

/** Overwrites the current line on stderr and cuts off what does not fit. */
export function drawLine(text: string): void {
  process.stderr.write(`\r\u001b[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

export function bar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * 16);
  return '█'.repeat(filled) + '░'.repeat(16 - filled);
}

/** Shows the progress of a run on stderr: one live line on a terminal, plain lines per phase and fault elsewhere. */
interface ProgressLine {
  readonly show: (progress: Progress) => void;
  /** Writes a separate line. */
  readonly say: (text: string) => void;
  readonly end: () => void;
}

export function showProgress(scenario: string): ProgressLine {
  return isLive() ? liveLine(scenario) : plainLines(scenario);
}

function plainLines(scenario: string): ProgressLine {
  const show = (progress: Progress) => {
    const text = describeProgress(progress);
    if (text !== undefined) process.stderr.write(`${scenario}/${progress.mode}: ${text}\n`);
  };
  return { show, say: text => process.stderr.write(`${text}\n`), end: () => {} };
}

function liveLine(scenario: string): ProgressLine {
  let phase = '';
  const say = (text: string) => {
    drawLine('');
    process.stderr.write(`\r${text}\n`);
  };
  const show = (progress: Progress) => {
    if (progress.kind === 'fault') {
      say(`${errorColours().dim(`${scenario}/${progress.mode}:`)} ${describeProgress(progress)}`);
    } else if (progress.kind === 'tick') {
      drawLine(
        `${scenario}/${progress.mode} ${bar(progress.atMs / progress.totalMs)} ${phase} · ${progress.requests} requests, ${progress.problems} not ok`,
      );
    } else {
      phase = describeProgress(progress) ?? phase;
      drawLine(`${scenario}/${progress.mode} ${phase}`);
    }
  };
  return { show, say, end: () => drawLine('') };
}

function describeProgress(progress: Progress): string | undefined {
  switch (progress.kind) {
    case 'starting':
      return progress.members.length === 0 ? 'it runs already' : `starting ${progress.members.join(', ')}`;
    case 'phase':
      return `${progress.phase} (${(progress.lastsMs / 1000).toFixed(1)} s)`;
    case 'fault':
      return `fault ${progress.id} ${progress.what.replace('-', ' ')}`;
    case 'tick':
      return undefined;
  }
}
