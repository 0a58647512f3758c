import { spawn } from 'node:child_process';
import type { Janitor } from './janitor.js';
import { LastLines, unrefStreams } from './last-lines.js';
import { groupRuns, signalGroup } from './process-family.js';

/** How a command ended. */
export interface ShellEnd {
  /** It ended by itself, with code 0. */
  readonly ok: boolean;
  /** It took too long. */
  readonly late: boolean;
  /** `ended with code 1`, `ended by SIGKILL`, `did not end within 5 s`. */
  readonly how: string;
  /** The last lines that it printed. */
  readonly said: string;
}

/** Runs a command of the user's by `sh -c`, in the current directory. Never rejects. Aborted, it is killed with all that
 * it started, as it is when `withinMs` are over. */
export type RunShell = (command: string, withinMs: number, signal: AbortSignal) => Promise<ShellEnd>;

const lastWordsWithinMs = 200;

export function runShell(command: string, withinMs: number, stop: AbortSignal, janitor: Janitor): Promise<ShellEnd> {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = new LastLines(5, [child.stdout, child.stderr]);
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
      // What it has left in the background goes on, and ends with the lab.
      if (pid !== undefined && !groupRuns(pid)) janitor.forget('group', pid);
      const ended = code === null ? `ended by ${signal}` : `ended with code ${code}`;
      const how = late ? `did not end within ${withinMs / 1000} s` : ended;
      resolve({ ok: code === 0 && !late, late, how, said: lines.text('') });
    };
    child.once('error', error => settle(null, error.message));
    child.once('exit', (code, signal) => {
      // Its last words may still be in the pipe, which a process in the background could hold open for ever.
      const waited = setTimeout(() => settle(code, signal), lastWordsWithinMs);
      child.once('close', () => {
        clearTimeout(waited);
        settle(code, signal);
      });
    });
  });
}
