import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const withinMs = 2_000;

/** Sends SIGSTOP and waits until the last thread has stopped. On a busy machine, another thread may still answer for a
 * while. */
export function freeze(child: ChildProcess): void {
  child.kill('SIGSTOP');
  if (process.platform !== 'linux') return;
  const lateAtMs = performance.now() + withinMs;
  while (!isStopped(child.pid)) if (performance.now() > lateAtMs) throw new Error(`process ${child.pid} runs on`);
}

/** Reads the state: the first field after the name in parentheses, `T` for stopped. */
function isStopped(pid: number | undefined): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every(thread => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ')[1]?.[0] === 'T');
}
