/**
 * Cleans up after a lab that did not end in order. The helper of `janitor.ts` starts it. It reads lines such as
 * `+process 123` and `-directory /tmp/x` to the end. It then kills the remaining processes, removes the remaining
 * directories and exits.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { killStrays, quitFamily, sendSignal, signalFamily, signalGroup } from './process-family.js';

/** Time that a family gets to end after SIGQUIT. */
const quitWithinMs = 500;
const pollMs = 10;

const left = {
  ...{ process: new Set<string>(), family: new Set<string>(), group: new Set<string>() },
  directory: new Set<string>(),
};

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

createInterface({ input: process.stdin }).on('line', handleLine).on('close', clean);

function handleLine(line: string): void {
  const [, sign, kind, what] = /^([+-])(process|family|group|directory) (.+)$/.exec(line) ?? [];
  if (what === undefined || !isWatched(kind)) return;
  if (sign === '+') left[kind].add(what);
  else left[kind].delete(what);
}

function isWatched(kind: string | undefined): kind is keyof typeof left {
  return kind !== undefined && Object.hasOwn(left, kind);
}

async function clean(): Promise<void> {
  // SIGKILL also ends a process that is stopped by SIGSTOP.
  for (const pid of left.process) sendSignal(Number(pid), 'SIGKILL');
  for (const leader of left.group) signalGroup(Number(leader), 'SIGKILL');
  await Promise.all([...left.family].map(pid => endFamily(Number(pid))));
  for (const directory of left.directory) {
    // Its parent may have died before it could tell of a process that it had just started.
    killStrays(directory);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
  process.exit(0);
}

/** Sends SIGQUIT, later SIGKILL. SIGKILL alone would leak system resources such as shared memory. */
async function endFamily(pid: number): Promise<void> {
  quitFamily(pid);
  for (let waitedMs = 0; sendSignal(pid, 0) && waitedMs < quitWithinMs; waitedMs += pollMs) await sleep(pollMs);
  signalFamily(pid, 'SIGKILL');
}
