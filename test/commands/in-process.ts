import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommandLine } from '#src/command-line.js';

export interface Said {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Files left in the temporary folder and the working directory, and processes that are still running. */
  readonly left: readonly string[];
}

/**
 * Runs a command line in this process, because starting Node costs more than most commands. It uses an empty folder and
 * a separate temporary folder, and restores everything afterwards.
 */
export async function commandLine(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Said> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
  const temporary = await mkdtemp(path.join(tmpdir(), 'holdfast-test-tmp-'));
  const before = { cwd: process.cwd(), env: process.env, argv: process.argv, code: process.exitCode };
  const running = await children();
  const said = { stdout: '', stderr: '' };
  const restore = [listenTo('stdout', said), listenTo('stderr', said)];
  process.chdir(folder);
  process.env = { ...before.env, NO_COLOR: '1', TMPDIR: temporary, ...env };
  process.argv = [...before.argv.slice(0, 2), ...words];
  process.exitCode = undefined;
  try {
    await runCommandLine(words);
    const started = (await children()).filter(pid => !running.includes(pid));
    const left = [...(await readdir(temporary)), ...(await readdir(folder)), ...started];
    return { code: process.exitCode ?? 0, ...said, left };
  } finally {
    process.chdir(before.cwd);
    [process.env, process.argv, process.exitCode] = [before.env, before.argv, before.code];
    for (const undo of restore) undo();
    await Promise.all([folder, temporary].map(place => rm(place, { recursive: true, force: true })));
  }
}

async function children(): Promise<string[]> {
  const pids = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8');
  return pids.split(' ').filter(pid => pid !== '');
}

function listenTo(name: 'stdout' | 'stderr', said: Record<'stdout' | 'stderr', string>): () => void {
  const stream = process[name];
  const { write } = stream;
  stream.write = (chunk: Uint8Array | string) => {
    said[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    return true;
  };
  return () => (stream.write = write);
}
