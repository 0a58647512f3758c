import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type Signal = 'SIGKILL' | 'SIGTERM' | 'SIGQUIT' | 'SIGSTOP' | 'SIGCONT' | 'SIGHUP';

/**
 * Signals a process and its current children. The parent comes first: a stopped or dead parent starts no more children.
 * It goes by parent id and not by process group, because PostgreSQL gives every child a group and a session of its own.
 * Returns the ids of the processes that it reached, the parent first.
 */
export function signalFamily(pid: number, name: Signal): readonly number[] {
  const before = childrenOf(pid);
  if (!sendSignal(pid, name)) return [];
  // Listed twice: a child can have started between the first list and the signal to the parent.
  const children = [...new Set([...before, ...childrenOf(pid)])];
  return [pid, ...children.filter(child => sendSignal(child, name))];
}

/**
 * Signals all processes of a group, such as those that a shell or `npm start` runs, at any depth. `leader` is the id of
 * the group. A process that has left the group is not reached. Returns false when the group is empty.
 */
export function signalGroup(leader: number, name: Signal | 0): boolean {
  return sendSignal(-leader, name);
}

/** Returns whether a process of the group still runs. A zombie does not: it only waits for its parent to reap it. */
export function groupRuns(leader: number): boolean {
  if (!signalGroup(leader, 0)) return false;
  const table = execFileSync('ps', ['-A', '-o', 'pgid=,stat='], { encoding: 'utf8', timeout: 2_000 });
  return table.split('\n').some(line => new RegExp(`^\\s*${leader}\\s+[^ZX\\s]`).test(line));
}

/**
 * Kills the processes that a command has sent into the background in a group of their own, as a server without
 * "foreground" does. They are known by `mark`, the folder of the lab, in their command line. A process with a terminal,
 * or of the group of this process, is one of the user.
 */
export function killDaemons(mark: string): void {
  const columns = ['-A', '-ww', '-o', 'pid=,pgid=,tty=,args='];
  const table = execFileSync('ps', columns, { encoding: 'utf8', timeout: 5_000, maxBuffer: 2 ** 26 });
  const lines = table.split('\n').flatMap(line => {
    const [, pid, group, tty, words = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), group: Number(group), tty, words }];
  });
  const own = lines.find(({ pid }) => pid === process.pid)?.group;
  const daemons = lines.filter(
    ({ group, tty, words }) => tty?.startsWith('?') && group !== own && words.includes(mark),
  );
  for (const { group } of daemons) signalGroup(group, 'SIGKILL');
}

/** Asks a process to end at once with its children. A stopped process cannot handle SIGQUIT, so it is resumed first. */
export function quitFamily(pid: number): void {
  signalFamily(pid, 'SIGCONT');
  sendSignal(pid, 'SIGQUIT');
}

/** Sends a signal. Returns false when there is no such process. Signal 0 only checks whether it exists. */
export function sendSignal(pid: number, name: Signal | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    return process.platform === 'linux' ? linuxChildren(pid) : listedChildren(pid);
  } catch {
    return [];
  }
}

function linuxChildren(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(/\s+/).map(Number).filter(Boolean);
}

function listedChildren(pid: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8', timeout: 2_000 });
  const lines = table.split('\n').map(line => line.trim().split(/\s+/).map(Number));
  return lines.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}
