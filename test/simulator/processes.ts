import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { type ClusterSpec, startCluster } from '#src/simulator/cluster/start-cluster.js';

/** A program of test/simulator/programs. */
export function program(name: string): string {
  return path.join(import.meta.dirname, 'programs', `${name}.js`);
}

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** All processes but zombies, which are only waiting for somebody to read how they ended. */
export function processes(): ProcessLine[] {
  const lines = process.platform === 'linux' ? linesOfProc() : linesOfPs();
  return lines.filter(({ state }) => !state.startsWith('Z'));
}

/** Reads the processes from /proc. Tests ask in loops, and starting `ps` each time would cost more than the tests. */
function linesOfProc(): ProcessLine[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        // The name of the program stands in brackets, and the name itself may contain brackets.
        const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(pid), parent: Number(parent), state }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

function linesOfPs(): ProcessLine[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' });
  return table
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .map(([pid, parent, state = '']) => ({ pid: Number(pid), parent: Number(parent), state }));
}

/** The System V segments that a process has made and that nobody has removed, in the kernel's words. */
export function sharedSegmentsOf(pid: number): string[] {
  const lines = readFileSync('/proc/sysvipc/shm', 'utf8').trim().split('\n').slice(1);
  // key shmid perms size cpid: the fifth is the process that made it.
  return lines.filter(line => Number(line.trim().split(/\s+/)[4]) === pid);
}

export function isRunning(pid: number): boolean {
  return processes().some(line => line.pid === pid);
}

const usualTemporaryFolder = process.env.TMPDIR;
let openFolders: readonly string[] = [];

/**
 * Runs `use` with a temporary folder of its own and asserts that afterwards nothing is left in it and no child process
 * that was not there before.
 */
export async function leavingNothing<T>(use: () => Promise<T>): Promise<T> {
  const before = children();
  const folder = temporaryFolder();
  setTemporaryFolder([...openFolders, folder]);
  try {
    const result = await use();
    expect(readdirSync(folder), 'temporary folders left').to.deep.equal([]);
    const gone = await waitUntil(async () => children().every(pid => before.includes(pid)), 1_000);
    expect(gone, `processes left: ${children()}`).to.equal(true);
    return result;
  } finally {
    setTemporaryFolder(openFolders.filter(open => open !== folder));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Uses the newest open folder. A test that timed out ends after later tests have begun, so folders end in any order. */
function setTemporaryFolder(open: readonly string[]): void {
  openFolders = open;
  const folder = open.at(-1) ?? usualTemporaryFolder;
  if (folder === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = folder;
}

/** Every user can enter it, as with /tmp: some servers refuse to run as root. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lab-test-'));
  chmodSync(folder, 0o711);
  return folder;
}

function children(): number[] {
  // Not the `ps` that prints the list.
  const mine = processes().filter(({ parent }) => parent === process.pid);
  return mine.map(({ pid }) => pid).filter(isAlive);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A running cluster, stopped on every path. */
export async function withCluster<T>(spec: ClusterSpec, use: (cluster: LabCluster) => Promise<T>): Promise<T> {
  const cluster = await startCluster(spec, new AbortController().signal, () => undefined);
  try {
    return await use(cluster);
  } finally {
    await cluster.stop();
  }
}

/** A test with the cluster of the suite. */
export type InLab = (use: (cluster: LabCluster) => Promise<void>) => () => Promise<void>;

/** Shares one cluster among all tests of a suite. Each test leaves it whole. It is removed after the last test. */
export function oneLab(spec: ClusterSpec): InLab {
  let cluster: LabCluster | undefined;
  let release = (): void => undefined;
  let whole: Promise<void> | undefined;
  before(
    () =>
      new Promise<void>((up, failed) => {
        const untilReleased = (started: LabCluster) =>
          new Promise<void>(resolve => {
            [cluster, release] = [started, resolve];
            up();
          });
        whole = leavingNothing(() => withCluster(spec, untilReleased));
        whole.catch(failed);
      }),
  );
  after(() => {
    release();
    return whole;
  });
  return use => () => use(cluster ?? expect.fail('it did not start'));
}

export const quickProxy = {
  health: { everyMs: 200, timeoutMs: 300, fall: 2, rise: 2 },
  policy: 'round-robin',
  drainMs: 500,
} as const;
