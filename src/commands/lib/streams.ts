import { isatty } from 'node:tty';
import pc from 'picocolors';
import type { Progress } from '../../simulator/run/journal.js';

/** Returns whether to use colours: on a terminal, never for a pipe or a file. A non-empty `NO_COLOR` forbids them. */
export function wantsColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

/** Returns the maximum width of a table: that of the terminal, `COLUMNS` for a pipe, or no limit. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  const told = Number(process.env.COLUMNS);
  return stream.columns ?? (told > 0 ? told : Number.POSITIVE_INFINITY);
}

export function errorColours(): ReturnType<typeof pc.createColors> {
  return pc.createColors(wantsColour(process.stderr));
}

/**
 * Ignores output that cannot be written. When the reader of a pipe has gone (`holdfast run … | head`), the run
 * continues, because its files and its exit code still count. An unhandled error would exit with the code of a failed
 * expectation. A failed write to stderr, for example on a full disk, must not end the process either, least of all a
 * proxy.
 */
export function surviveClosedPipes(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

/**
 * Prevents a core dump when the terminal is closed. At exit Node restores the settings of the terminal. When the
 * terminal is gone, Node aborts, and the core dump would hold every key in memory. So SIGHUP ends the process before
 * that.
 */
export function surviveClosedTerminal(): void {
  const terminals = [0, 1, 2].filter(fd => isatty(fd));
  process.on('exit', () => {
    if (terminals.every(fd => isatty(fd))) return;
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  });
}

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
