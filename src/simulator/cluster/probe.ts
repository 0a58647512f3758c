import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { BootFailed, MemberNotBack } from '../errors.js';
import type { Cluster, ClusterMember, ProxyBackend } from './cluster.js';
import { type Exit, exitInWords } from './cluster.js';

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
 * Waits until the member answers. Of a backend, waits also until the proxy has it in one of these states, by default
 * until the proxy sends users to it again. Rejects with `MemberNotBack` when that does not happen in time.
 */
export async function waitReadmitted(
  cluster: Cluster,
  member: ClusterMember,
  withinMs: number,
  states: readonly ProxyBackend['state'][] = ['ready'],
): Promise<void> {
  const deadline = performance.now() + withinMs;
  if (!(await eventually(() => member.answers(500), withinMs)))
    throw createNotBack(member, `did not answer within ${withinMs} ms of its healing`);
  if (member.role !== 'backend') return;
  const left = Math.max(0, deadline - performance.now());
  if (!(await eventually(() => proxyStateIs(cluster, member.name, ...states), left)))
    throw createNotBack(member, `was not reported ready by the proxy within ${withinMs} ms of its healing`);
}

/** Starts it unless it runs. Waits until the system has it back; rejects with `MemberNotBack` when it has not in 15 s. */
export async function bringBack(cluster: Cluster, member: ClusterMember): Promise<void> {
  await startAgain(member);
  await waitReadmitted(cluster, member, backWithinMs);
}

/** Starts it unless it runs; rejects with `MemberNotBack` when it does not boot. */
export async function startAgain(member: ClusterMember): Promise<void> {
  if (member.pid !== undefined) return;
  try {
    await member.start();
  } catch (error) {
    throw error instanceof BootFailed ? new MemberNotBack(error.member, error.how) : error;
  }
}

/** `why` ends without a full stop: what the member says of itself follows. */
export function createNotBack(member: ClusterMember, why: string): MemberNotBack {
  return new MemberNotBack(member.name, `${why}; it ${member.describe()}`);
}

/** How the member ended, and that nothing listens in its place; false when something does. */
export async function describeGone({ port }: ClusterMember, exit: Exit): Promise<string | false> {
  return (await portRefuses(port)) && `${exitInWords(exit)}; port ${port} refuses connections`;
}

export async function proxyStateIs(
  cluster: Cluster,
  backend: string,
  ...states: readonly ProxyBackend['state'][]
): Promise<boolean> {
  const backends = await cluster.proxyAdmin.backends();
  return backends.some(candidate => candidate.name === backend && states.includes(candidate.state));
}
