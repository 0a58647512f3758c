import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type Signal = 'SIGKILL' | 'SIGTERM' | 'SIGQUIT' | 'SIGSTOP' | 'SIGCONT' | 'SIGHUP';

/**
 * Strikes a process and the children that it has now. The parent first: what is stopped or dead begets no more. By
 * parentage and not by process group, because PostgreSQL gives every child a group and a session of its own.
 * Answers with whom it reached, the parent first.
 */
export function signalFamily(pid: number, name: Signal): readonly number[] {
  const before = childrenOf(pid);
  if (!sendSignal(pid, name)) return [];
  // Looked at twice: a child may have been born between the look and the blow.
  const children = [...new Set([...before, ...childrenOf(pid)])];
  return [pid, ...children.filter(child => sendSignal(child, name))];
}

/**
 * Strikes everything that a process has started, however deep, as long as it has kept to the group of that process: what
 * a shell, `npm start` and the like run. The process is the leader of its group. False when nobody is left in it.
 */
export function signalGroup(leader: number, name: Signal | 0): boolean {
  return sendSignal(-leader, name);
}

/** Whether somebody of the group still runs; a zombie only waits for somebody to read how it ended. */
export function groupRuns(leader: number): boolean {
  if (!signalGroup(leader, 0)) return false;
  const table = execFileSync('ps', ['-A', '-o', 'pgid=,stat='], { encoding: 'utf8', timeout: 2_000 });
  return table.split('\n').some(line => new RegExp(`^\\s*${leader}\\s+[^ZX\\s]`).test(line));
}

/** Asks it to end at once, with its children. They may be stopped, and whoever is stopped takes no leave. */
export function quitFamily(pid: number): void {
  signalFamily(pid, 'SIGCONT');
  sendSignal(pid, 'SIGQUIT');
}

/** False when there is no such process any more. 0 only looks. */
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
