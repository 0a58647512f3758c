import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

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

/** Asks a process to end at once with its children. A stopped process cannot handle SIGQUIT, so it is resumed first. */
export function quitFamily(pid: number): void {
  signalFamily(pid, 'SIGCONT');
  sendSignal(pid, 'SIGQUIT');
}

/**
 * Kills each process that has left its process group, as a daemon does, with its children. It is known by the directory
 * of its lab, which its command line or its environment names. A process with a terminal is one of the user. Works on
 * Linux only: elsewhere no such process is found.
 */
export function killStrays(directory: string): void {
  for (const pid of process.platform === 'linux' ? linuxProcesses() : [])
    if (pid !== process.pid && isStray(pid, directory)) signalFamily(pid, 'SIGKILL');
}

function linuxProcesses(): readonly number[] {
  return readdirSync('/proc').map(Number).filter(Boolean);
}

function isStray(pid: number, directory: string): boolean {
  try {
    const [command, variables] = ['cmdline', 'environ'].map(file => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
    if (!command?.includes(directory) && !variables?.includes(directory)) return false;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which is in brackets: state, parent, group, session, terminal.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] === '0';
  } catch {
    return false; // It has ended, or belongs to another user.
  }
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
