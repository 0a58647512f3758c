import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { BootFailed, MemberNotBack } from '../errors.js';
import type { Cluster, ClusterMember, ProxyBackend } from './cluster.js';

/** Time between two checks of a condition. */
const pollMs = 25;
const backWithinMs = 15_000;

/** Polls until `holds` returns true. Returns false when it did not within `withinMs`. Rejects when `holds` rejects. */
export async function waitUntil(holds: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() >= deadline) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Returns whether the kernel refuses a TCP connection to this loopback port. A stopped process still accepts. */
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

/** Returns whether the process is in the kernel's stopped state (`T`). False when there is no such process. */
export async function isStopped(pid: number): Promise<boolean> {
  return /^T/i.test(await readProcessState(pid));
}

/** Returns whether the process has ended. A zombie has ended: it only waits until its parent reads its exit status. */
export async function isGone(pid: number): Promise<boolean> {
  return /^(?:Z|X|$)/.test(await readProcessState(pid));
}

async function readProcessState(pid: number): Promise<string> {
  try {
    // The name in parentheses can itself contain parentheses and blanks. The state follows the last parenthesis.
    if (process.platform === 'linux') return (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1) ?? '';
    return (await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(pid)])).stdout.trim();
  } catch {
    return '';
  }
}

/**
 * Waits until the member answers. For a backend it also waits until the proxy reports one of `states`; `ready` means
 * that the proxy sends users to it again. Rejects with `MemberNotBack` when that does not happen in time.
 */
export async function waitReadmitted(
  cluster: Cluster,
  member: ClusterMember,
  withinMs: number,
  states: readonly ProxyBackend['state'][] = ['ready'],
): Promise<void> {
  const deadline = performance.now() + withinMs;
  if (!(await waitUntil(() => member.answers(500), withinMs)))
    throw createNotBack(member, `did not answer within ${withinMs} ms of its healing`);
  if (member.role !== 'backend') return;
  const left = Math.max(0, deadline - performance.now());
  if (!(await waitUntil(() => proxyStateIs(cluster, member.name, ...states), left)))
    throw createNotBack(member, `was not reported ready by the proxy within ${withinMs} ms of its healing`);
}

/** Starts the member unless it runs, and waits until it is readmitted. Rejects with `MemberNotBack` after 15 s. */
export async function bringBack(cluster: Cluster, member: ClusterMember): Promise<void> {
  await startAgain(member);
  await waitReadmitted(cluster, member, backWithinMs);
}

/** Starts the member unless it runs. Rejects with `MemberNotBack` when it does not boot. */
export async function startAgain(member: ClusterMember): Promise<void> {
  if (member.isRunning) return;
  try {
    await member.start();
  } catch (error) {
    throw error instanceof BootFailed ? new MemberNotBack(error.member, error.how) : error;
  }
}

/** Creates the error. `why` ends without a full stop, because the state of the member follows. */
function createNotBack(member: ClusterMember, why: string): MemberNotBack {
  return new MemberNotBack(member.name, `${why}; it ${member.describe()}`);
}

export async function proxyStateIs(
  cluster: Pick<Cluster, 'proxyAdmin'>,
  backend: string,
  ...states: readonly ProxyBackend['state'][]
): Promise<boolean> {
  const backends = await cluster.proxyAdmin.backends();
  return backends.some(candidate => candidate.name === backend && states.includes(candidate.state));
}
