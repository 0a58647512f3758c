import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';

const program = path.join(import.meta.dirname, 'janitor-process.js');

/** Everything that this process has started or made and not yet ended or removed. */
const live = { pids: new Set<number>(), directories: new Set<string>() };

/**
 * Ends every lab process and removes every temporary directory, at once and without waiting: for a second Ctrl-C,
 * right before `process.exit`.
 */
export function killNow(): void {
  for (const pid of live.pids) killHard(pid);
  for (const directory of live.directories) rmSync(directory, { recursive: true, force: true });
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself a moment ago.
  }
}

/**
 * A helper process that outlives this one by a moment. It is told what runs; when this process dies, however it dies,
 * the pipe between them closes, and it ends what is left. It has a process group of its own: Ctrl-C does not reach it.
 */
export class Janitor {
  readonly #helper: ChildProcess;
  readonly #gone: Promise<unknown>;

  constructor() {
    this.#helper = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    this.#gone = once(this.#helper, 'exit').catch(() => undefined);
    // Should the helper die first, a write fails: the lab goes on, unguarded.
    this.#helper.stdin?.on('error', () => undefined);
  }

  watchProcess(pid: number): void {
    live.pids.add(pid);
    this.#tell(`+process ${pid}`);
  }

  forgetProcess(pid: number): void {
    live.pids.delete(pid);
    this.#tell(`-process ${pid}`);
  }

  watchDirectory(directory: string): void {
    live.directories.add(directory);
    this.#tell(`+directory ${directory}`);
  }

  forgetDirectory(directory: string): void {
    live.directories.delete(directory);
    this.#tell(`-directory ${directory}`);
  }

  /** Sends it home: it cleans what it still knows of (nothing, after an orderly stop) and exits. */
  async dismiss(): Promise<void> {
    this.#helper.stdin?.end();
    await this.#gone;
  }

  #tell(line: string): void {
    if (this.#helper.stdin?.writable) this.#helper.stdin.write(`${line}\n`);
  }
}
