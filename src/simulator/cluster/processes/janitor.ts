import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { packageFile } from '../../../shared/package-file.js';
import { quitFamily, sendSignal, signalGroup } from './process-family.js';

const program = packageFile('dist/simulator/cluster/processes/janitor-process.js');

/** Everything that this process has started or made and not yet ended or removed. A family is a process whose children
 * serve too, and which ends with them at SIGQUIT; a group is whatever a command has started. */
const live = {
  ...{ process: new Set<number>(), family: new Set<number>(), group: new Set<number>() },
  directory: new Set<string>(),
};

export type WatchedProcess = 'process' | 'family' | 'group';

/**
 * Ends every lab process and removes every temporary directory, at once and without waiting: for a second Ctrl-C,
 * right before `process.exit`. Families are asked to end at once; should one not, the janitor sees to it.
 */
export function killNow(): void {
  for (const pid of live.process) sendSignal(pid, 'SIGKILL');
  for (const pid of live.family) quitFamily(pid);
  for (const leader of live.group) signalGroup(leader, 'SIGKILL');
  for (const directory of live.directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * A helper process that outlives this one by a moment. It is told what runs; when this process dies, however it dies,
 * the pipe between them closes, and it ends what is left. It has a process group of its own: Ctrl-C does not reach it.
 */
export class Janitor {
  readonly #helper: ChildProcess;
  readonly #gone: Promise<unknown>;
  readonly #groups = new Set<number>();

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

  watch(kind: WatchedProcess, pid: number): void {
    live[kind].add(pid);
    if (kind === 'group') this.#groups.add(pid);
    this.#tell(`+${kind} ${pid}`);
  }

  forget(kind: WatchedProcess, pid: number): void {
    live[kind].delete(pid);
    if (kind === 'group') this.#groups.delete(pid);
    this.#tell(`-${kind} ${pid}`);
  }

  watchDirectory(directory: string): void {
    live.directory.add(directory);
    this.#tell(`+directory ${directory}`);
  }

  forgetDirectory(directory: string): void {
    live.directory.delete(directory);
    this.#tell(`-directory ${directory}`);
  }

  /** Ends what commands have left in the background. */
  endGroups(): void {
    for (const leader of this.#groups) {
      signalGroup(leader, 'SIGKILL');
      this.forget('group', leader);
    }
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
