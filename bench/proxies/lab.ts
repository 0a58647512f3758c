import { existsSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import path from 'node:path';
import { unknownName } from '#src/shared/unknown-name.js';
import { backendKind, startBackends } from './backends.js';
import { loadKind } from './measure.js';
import { canPin, freePorts, stopAll, tellAllToStop } from './processes.js';

const backendCount = 3;

export interface Lab {
  /** Folder for the files of a run; removed afterwards. */
  readonly folder: string;
  readonly backendPorts: readonly number[];
}

/** The machine of a run, for its results. */
export const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  kernel: release(),
  node: process.version,
  load: loadKind,
  backends: backendKind,
  pinned: canPin && cpus().length > 1,
};

/** Prints to stderr: stdout is for results only. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs `use` with a folder; afterwards removes all files and stops all processes. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  if (!existsSync('/proc/self/stat')) {
    say('What a proxy uses is read from /proc: this bench needs Linux.');
    process.exit(4);
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-'));
  process.once('exit', () => {
    tellAllToStop();
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    await use(folder);
  } finally {
    await stopAll();
  }
}

/** Runs `use` with backends that answer at once. */
export async function withLab(use: (lab: Lab) => Promise<void>): Promise<void> {
  say(`load: ${loadKind}; backends: ${backendKind}; ${pinning()}`);
  await withFolder(async folder => {
    const backendPorts = await freePorts(backendCount);
    await startBackends(backendPorts, folder);
    await use({ folder, backendPorts });
  });
}

function pinning(): string {
  if (machine.pinned) return 'a core for the proxy, one for the rest';
  return canPin ? 'not pinned: there is one core' : 'not pinned: taskset is not on PATH';
}

/** A flag for a list of names from a registry. */
export function namesOf(describe: string, registry: Readonly<Record<string, unknown>>, given?: string) {
  const known = Object.keys(registry).join(',');
  return { type: 'string', default: given ?? known, requiresArg: true, describe: `${describe}: ${known}` } as const;
}

/** Looks up the names. For an unknown one the process exits and suggests the nearest name. */
export function chosen<T>(kind: string, text: string, registry: Readonly<Record<string, T>>): [string, T][] {
  return text.split(',').map(each => {
    const name = each.trim();
    const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
    if (entry !== undefined) return [name, entry];
    say(unknownName(kind, name, Object.keys(registry)));
    return process.exit(3);
  });
}
