import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sendSignal } from '#src/simulator/cluster/processes/process-family.js';

export const root = path.resolve(import.meta.dirname, '../../..');

/** A real `holdfast` process in an empty folder, with a separate temporary folder. */
export interface Holdfast {
  readonly child: ChildProcess;
  /** The working directory of the command. */
  readonly folder: string;
  readonly output: { stdout: string; stderr: string };
  /** Resolves when the text has appeared on stdout or stderr. */
  sees(text: string | RegExp, withinMs?: number): Promise<void>;
  /** Resolves with the exit code as in a shell: 128 + the signal number if a signal ended the process. */
  ended(): Promise<number>;
  /** Lists the running processes that the command started, directly or indirectly, as `pid command`. */
  running(): Promise<string[]>;
  /** Lists them when none is left, or after five seconds. */
  children(): Promise<string[]>;
  /** Lists the remaining temporary files. */
  temporaryFiles(): Promise<string[]>;
}

/**
 * Runs `holdfast <args>` during `body`. Afterwards it removes all processes and files of the command. `openFilesMax`
 * limits the open files of the command and of its children, as `ulimit -n` does. `packageRoot` holds its package.
 */
export async function withHoldfast<T>(
  args: readonly string[],
  body: (holdfast: Holdfast) => Promise<T>,
  env: NodeJS.ProcessEnv = {},
  openFilesMax?: number,
  packageRoot = root,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
  const temporary = await mkdtemp(path.join(tmpdir(), 'holdfast-test-tmp-'));
  // Other users may enter it, as they may /tmp, because some servers refuse to run as root.
  await chmod(temporary, 0o711);
  const mark = randomUUID();
  const words = [path.join(packageRoot, 'dist/cli.js'), ...args];
  const limited = ['-c', `ulimit -n ${openFilesMax}; exec "$0" "$@"`, process.execPath, ...words];
  const [program, given] = openFilesMax === undefined ? [process.execPath, words] : ['sh', limited];
  const child = spawn(program, given, {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', TMPDIR: temporary, HOLDFAST_TEST_MARK: mark, ...env },
  });
  const holdfast = observe(child, folder, temporary, mark);
  try {
    return await body(holdfast);
  } finally {
    child.kill('SIGKILL');
    // The janitor ends the remaining processes. A test may kill the janitor too, so they are killed here.
    for (const line of await settled(() => marked(mark, temporary))) sendSignal(Number(line.split(' ')[0]), 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
    await rm(temporary, { recursive: true, force: true });
  }
}

function observe(child: ChildProcess, folder: string, temporary: string, mark: string): Holdfast {
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', chunk => {
    output.stdout += chunk;
  });
  child.stderr?.on('data', chunk => {
    output.stderr += chunk;
  });
  const closed = new Promise<number>(resolve =>
    child.on('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL'])),
  );
  return {
    child,
    folder,
    output,
    sees: (text, withinMs = 15_000) =>
      until(
        () => found(output, text),
        withinMs,
        () => `"${text}" in:\n${output.stdout}${output.stderr}`,
      ),
    ended: () => closed,
    running: () => marked(mark, temporary, child.pid),
    children: () => settled(() => marked(mark, temporary, child.pid)),
    temporaryFiles: () => settled(() => readdir(temporary)),
  };
}

function found({ stdout, stderr }: Holdfast['output'], text: string | RegExp): boolean {
  return [stdout, stderr].some(stream => (typeof text === 'string' ? stream.includes(text) : text.test(stream)));
}

/**
 * Repeats `look` for at most five seconds until nothing is left: a killed child needs a moment to disappear. Each look
 * reads the environment of every process, so the pauses grow.
 */
async function settled(look: () => Promise<string[]>): Promise<string[]> {
  const deadline = Date.now() + 5_000;
  let left = await look();
  for (let pauseMs = 20; left.length > 0 && Date.now() < deadline; pauseMs *= 1.3) {
    await delay(pauseMs);
    left = await look();
  }
  return left;
}

/** Lists the processes of a command as `pid command`. Their environment holds its mark, or they run in its temporary
 * folder, because Redis overwrites its environment with its title. */
async function marked(mark: string, temporary: string, except?: number): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name) && Number(name) !== except);
  const lines = await Promise.all(pids.map(pid => describeIfMarked(pid, mark, temporary)));
  return lines.filter(line => line !== undefined);
}

async function describeIfMarked(pid: string, mark: string, temporary: string): Promise<string | undefined> {
  try {
    const isInside = (await readlink(`/proc/${pid}/cwd`)).startsWith(`${temporary}/`);
    if (!isInside && !(await readFile(`/proc/${pid}/environ`, 'utf8')).includes(mark)) return undefined;
    return `${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ')}`;
  } catch {
    return undefined;
  }
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  withinMs: number,
  what: () => string,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not seen within ${withinMs} ms: ${what()}`);
    await delay(20);
  }
}
