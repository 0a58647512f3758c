import { isatty } from 'node:tty';
import pc from 'picocolors';

/** Colours for a person at a terminal, never for a pipe or a file; `NO_COLOR` (any value but the empty one) forbids them. */
export function wantsColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

/** How wide a table may be: as the terminal is, or as `COLUMNS` says of a pipe; else as wide as it likes. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  const told = Number(process.env.COLUMNS);
  return stream.columns ?? (told > 0 ? told : Number.POSITIVE_INFINITY);
}

export function errorColours(): ReturnType<typeof pc.createColors> {
  return pc.createColors(wantsColour(process.stderr));
}

/**
 * Whoever read our output has gone (`holdfast run … | head`). The run goes on: its files and its exit code still count,
 * and an unhandled error would end it with the code of a failed expectation. What cannot be said on stderr, because the
 * disk is full perhaps, is no reason to end either, least of all for a proxy.
 */
export function surviveClosedPipes(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

/**
 * At its end Node puts back the settings of the terminal, and when that is gone it aborts: a core dump, with every key
 * that was in memory. So what closed the terminal ends the process in place of that.
 */
export function surviveClosedTerminal(): void {
  const terminals = [0, 1, 2].filter(fd => isatty(fd));
  process.on('exit', () => {
    if (terminals.every(fd => isatty(fd))) return;
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  });
}
