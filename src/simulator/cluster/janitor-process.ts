/**
 * The helper that `janitor.ts` starts: reads lines `+process 123`, `-directory /tmp/x` until its input closes, which
 * happens when its parent dies or sends it home; then ends and removes what is left, and exits.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const left = { process: new Set<string>(), directory: new Set<string>() };

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

createInterface({ input: process.stdin }).on('line', note).on('close', clean);

function note(line: string): void {
  const [, sign, kind, what] = /^([+-])(process|directory) (.+)$/.exec(line) ?? [];
  if (what === undefined || (kind !== 'process' && kind !== 'directory')) return;
  if (sign === '+') left[kind].add(what);
  else left[kind].delete(what);
}

function clean(): void {
  for (const pid of left.process) end(Number(pid));
  for (const directory of left.directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
}

/** SIGKILL also ends a process that is stopped by SIGSTOP. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
