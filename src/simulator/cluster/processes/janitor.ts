import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { packageFile } from '../../../shared/package.js';
import { killStrays, quitFamily, sendSignal, signalGroup } from './process-family.js';

const program = packageFile('dist/simulator/cluster/processes/janitor-process.js');

/** The last line of a lab that has cleaned up after itself. */
const nothingLeft = 'nothing left';
/**
 * Collects lines until its input closes, and only then starts the program that cleans up. Almost every lab ends in order
 * and needs no cleaning. So it costs a shell, which needs far less CPU time and memory than a Node process.
 */
const helper = `trap '' INT TERM HUP
told=
while IFS= read -r line; do
  [ "$line" = '${nothingLeft}' ] && exit
  told="$told$line
"
done
[ -z "$told" ] || printf %s "$told" | "$0" "$1"`;

/** Every process and directory that this process has created and that still exists. A family is a process with children
 * that serve too; SIGQUIT ends it with them. A group is the processes that a command has started. */
const live = {
  ...{ process: new Set<number>(), family: new Set<number>(), group: new Set<number>() },
  directory: new Set<string>(),
};

export type WatchedProcess = 'process' | 'family' | 'group';

/**
 * Kills every lab process and removes every temporary directory without waiting. A second Ctrl-C calls it right before
 * `process.exit`. Families get SIGQUIT; if one does not end, the janitor process kills it.
 */
export function killNow(): void {
  for (const pid of live.process) sendSignal(pid, 'SIGKILL');
  for (const pid of live.family) quitFamily(pid);
  for (const leader of live.group) signalGroup(leader, 'SIGKILL');
  for (const directory of live.directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * Helper process that outlives this one by a moment. It is told which processes run. When this process dies in any way,
 * the pipe between them closes and the helper kills the rest. Its process group is its own: Ctrl-C does not reach it.
 */
export class Janitor {
  readonly #helper: ChildProcess;
  readonly #gone: Promise<unknown>;
  readonly #left = new Set<string>();
  readonly #groups = new Set<number>();
  #hasHadGroups = false;

  constructor() {
    this.#helper = spawn('/bin/sh', ['-c', helper, process.execPath, program], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    });
    this.#gone = once(this.#helper, 'exit').catch(() => undefined);
    // If the helper dies first, writes fail. The lab goes on without it.
    this.#helper.stdin?.on('error', () => undefined);
  }

  watch(kind: WatchedProcess, pid: number): void {
    live[kind].add(pid);
    if (kind === 'group') {
      this.#groups.add(pid);
      this.#hasHadGroups = true;
    }
    this.#add(`${kind} ${pid}`);
  }

  forget(kind: WatchedProcess, pid: number): void {
    live[kind].delete(pid);
    if (kind === 'group') this.#groups.delete(pid);
    this.#remove(`${kind} ${pid}`);
  }

  /** Makes a directory with exactly this mode. The helper knows of it before it exists: kill -9 can come at any moment. */
  async makeDirectory(directory: string, mode: number): Promise<void> {
    live.directory.add(directory);
    this.#add(`directory ${directory}`);
    await mkdir(directory, { mode: 0o700 });
    await chmod(directory, mode);
  }

  /** Removes a directory that it has made, with everything in it. */
  async removeDirectory(directory: string): Promise<void> {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    live.directory.delete(directory);
    this.#remove(`directory ${directory}`);
  }

  /** Kills the processes that commands have left in the background. `directory`: that of their lab. */
  endGroups(directory: string | undefined): void {
    if (this.#hasHadGroups && directory !== undefined) killStrays(directory);
    for (const leader of this.#groups) {
      signalGroup(leader, 'SIGKILL');
      this.forget('group', leader);
    }
  }

  /** Ends the helper, and waits for its end. It cleans up what is left. After an orderly stop nothing is left, and it
   * starts no Node process. */
  async dismiss(): Promise<void> {
    if (this.#left.size === 0) this.#tell(nothingLeft);
    this.#helper.stdin?.end();
    await this.#gone;
  }

  #add(what: string): void {
    this.#left.add(what);
    this.#tell(`+${what}`);
  }

  #remove(what: string): void {
    this.#left.delete(what);
    this.#tell(`-${what}`);
  }

  #tell(line: string): void {
    if (this.#helper.stdin?.writable) this.#helper.stdin.write(`${line}\n`);
  }
}
