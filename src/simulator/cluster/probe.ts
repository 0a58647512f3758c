import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Cluster, Member, ProxyBackend } from './cluster.js';

/** How often a condition is looked at again. */
const pollMs = 25;
const backWithinMs = 15_000;

/** Polls until `holds` says true; false when it never did within `withinMs`. A rejection of `holds` is passed on. */
export async function eventually(holds: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() >= deadline) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Whether the kernel turns a TCP connection to this loopback port away. A stopped process still accepts. */
export function portRefuses(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => settle(false));
    socket.once('error', () => settle(true));
    socket.setTimeout(1_000, () => settle(false));
    function settle(refused: boolean): void {
      socket.destroy();
      resolve(refused);
    }
  });
}

/** Whether the kernel holds the process in the stopped state (`T`). False when there is no such process. */
export async function isStopped(pid: number): Promise<boolean> {
  return /^T/i.test(await processState(pid));
}

/** A zombie is gone: it only waits for somebody to read how it ended. */
export async function isGone(pid: number): Promise<boolean> {
  return /^(?:Z|X|$)/.test(await processState(pid));
}

async function processState(pid: number): Promise<string> {
  try {
    // The name in parentheses may itself hold parentheses and blanks: the state follows the last one.
    if (process.platform === 'linux') return (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1) ?? '';
    return (await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)])).stdout.trim();
  } catch {
    return '';
  }
}

/**
 * Waits until the member answers and, for a backend, until the proxy sends users to it again, or is in one of these
 * states. Rejects when it does not.
 */
export async function waitReadmitted(
  cluster: Cluster,
  member: Member,
  withinMs: number,
  states: readonly ProxyBackend['state'][] = ['ready'],
): Promise<void> {
  const deadline = performance.now() + withinMs;
  if (!(await eventually(() => member.answers(500), withinMs)))
    throw new Error(`${member.name} did not answer within ${withinMs} ms of its healing`);
  if (member.role !== 'backend') return;
  const left = Math.max(0, deadline - performance.now());
  if (!(await eventually(() => proxyStateIs(cluster, member.name, ...states), left)))
    throw new Error(`the proxy did not report ${member.name} ready within ${withinMs} ms of its healing`);
}

/** Starts it unless it runs, and waits until the system has it back; rejects when it has not within 15 s. */
export async function bringBack(cluster: Cluster, member: Member): Promise<void> {
  if (member.pid === undefined) await member.start();
  await waitReadmitted(cluster, member, backWithinMs);
}

export async function proxyStateIs(
  cluster: Cluster,
  backend: string,
  ...states: readonly ProxyBackend['state'][]
): Promise<boolean> {
  const backends = await cluster.proxyAdmin.backends();
  return backends.some(candidate => candidate.name === backend && states.includes(candidate.state));
}
