import { spawn } from 'node:child_process';
import type { Janitor } from './janitor.js';
import { LastLines, unrefStreams } from './last-lines.js';
import { groupRuns, signalGroup } from './process-family.js';

/** End of a command. */
export interface ShellEnd {
  /** True when it ended by itself with code 0. */
  readonly ok: boolean;
  /** True when it timed out. */
  readonly late: boolean;
  /** `ended with code 1`, `ended by SIGKILL`, `did not end within 5 s`. */
  readonly how: string;
  /** The last lines that it printed, errors too. */
  readonly said: string;
  /** The last lines of its standard output, up to the 200th. */
  readonly printed: string;
}

/** Runs a command of the user with `sh -c` in the current directory. Never rejects. On abort, or after `withinMs`, the
 * command and all processes that it started are killed. */
export type RunShell = (command: string, withinMs: number, signal: AbortSignal) => Promise<ShellEnd>;

const lastWordsWithinMs = 200;

/** Returns for example `ended with code 1, and said: no such container`. */
export function describeEnd({ how, said }: Pick<ShellEnd, 'how' | 'said'>): string {
  const words = joinLines(said);
  return words === '' ? how : `${how}, and said: ${words}`;
}

/** Returns the lines of an output as one line. */
export function joinLines(output: string): string {
  return output.trim().replaceAll(/\s*\n\s*/g, ' | ');
}

export function runShell(command: string, withinMs: number, stop: AbortSignal, janitor: Janitor): Promise<ShellEnd> {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = new LastLines(5, [child.stdout, child.stderr]);
  const printed = new LastLines(200, [child.stdout]);
  const { pid } = child;
  if (pid !== undefined) janitor.watch('group', pid);
  const kill = () => pid !== undefined && signalGroup(pid, 'SIGKILL');
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, withinMs);
  if (stop.aborted) kill();
  stop.addEventListener('abort', kill);
  return new Promise(resolve => {
    const settle = (code: number | null, signal: string | null) => {
      clearTimeout(timer);
      stop.removeEventListener('abort', kill);
      unrefStreams([child.stdout, child.stderr]);
      // Its background processes go on, and are killed with the lab.
      if (pid !== undefined && !groupRuns(pid)) janitor.forget('group', pid);
      const ended = code === null ? `ended by ${signal}` : `ended with code ${code}`;
      const how = late ? `did not end within ${withinMs / 1000} s` : ended;
      resolve({ ok: code === 0 && !late, late, how, said: lines.text(''), printed: printed.text('') });
    };
    child.once('error', error => settle(null, error.message));
    child.once('exit', (code, signal) => {
      // Its last lines can still be in the pipe. A background process could hold the pipe open for ever.
      const waited = setTimeout(() => settle(code, signal), lastWordsWithinMs);
      child.once('close', () => {
        clearTimeout(waited);
        settle(code, signal);
      });
    });
  });
}
