import { isatty } from 'node:tty';
import pc from 'picocolors';

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
