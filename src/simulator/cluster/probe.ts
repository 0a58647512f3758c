import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseJson } from '../../shared/text.js';
import { BootFailed, MemberNotBack } from '../errors.js';
import {
  type Cluster,
  type ClusterMember,
  cleanEndInWords,
  describeExit,
  type Exit,
  isCleanEnd,
  type LabProcess,
  type ProxyBackend,
  type StrikeVerb,
} from './cluster.js';

/** Checks and requests with a time limit, by which the lab sees the state of its processes from outside. */

/** Time between two checks of a condition. */
const pollMs = 25;
const backWithinMs = 15_000;
/** Time without an answer after which a process counts as silent. A live one on loopback answers within milliseconds. */
export const silentForMs = 250;

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

export interface HttpAnswer {
  readonly status: number;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Sends one small request to a process of the lab. Rejects when the whole answer does not arrive within `withinMs`.
 * Each request has its own connection: a kept connection would delay the graceful shutdown of that process. It uses
 * Node's own client: undici takes 60 ms of CPU to load all that a request needs.
 */
export async function ask(
  method: 'GET' | 'PUT' | 'POST',
  url: string,
  withinMs: number,
  body?: unknown,
): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(withinMs);
  try {
    const sent = request(url, {
      method,
      agent: false,
      signal,
      ...(body !== undefined && { headers: { 'content-type': 'application/json; charset=utf-8' } }),
    });
    // The time can also end while the body arrives. Then reading it rejects.
    sent.on('error', () => undefined);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response]: IncomingMessage[] = await once(sent, 'response');
    if (response === undefined) throw new Error(`${method} ${url} was not answered`);
    return { status: response.statusCode ?? 0, headers: response.headers, json: parseJson(await text(response)) };
  } catch (error) {
    throw signal.aborted ? new Error(`${method} ${url} was not answered within ${withinMs} ms`) : error;
  }
}

/** Returns whether a GET of this address is answered with 200 within the time. */
export async function answersOk(url: string, withinMs: number): Promise<boolean> {
  try {
    return (await ask('GET', url, withinMs)).status === 200;
  } catch {
    return false;
  }
}

/** Returns the status of a GET of this address; undefined when no whole answer arrives in time. */
export async function statusWithin(url: string, withinMs: number): Promise<number | undefined> {
  try {
    return (await ask('GET', url, withinMs)).status;
  } catch {
    return undefined;
  }
}

/**
 * Writes `question` to a loopback port and passes the bytes received so far to `verdict` until it returns yes or no.
 * Returns false when the time is over or the connection ends. With it, the lab needs no client for each kind of server.
 */
export function answersWith(
  port: number,
  question: string | Uint8Array,
  verdict: (answer: Buffer) => boolean | undefined,
  withinMs: number,
): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(question));
    const timer = setTimeout(() => settle(false), withinMs);
    let answer: Buffer = Buffer.alloc(0);
    socket.on('data', chunk => {
      answer = Buffer.concat([answer, chunk]);
      settle(verdict(answer));
    });
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    function settle(answered: boolean | undefined): void {
      if (answered === undefined) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    }
  });
}

const killedWithinMs = 2_000;
const endedWithinMs = 5_000;
const goneWithinMs = 1_000;
const stoppedWithinMs = 1_000;

/** Checks in the kernel and at the port that a process was killed, has ended or hangs. See `ClusterMember.confirm`. */
export function confirmStrike(member: LabProcess, verb: StrikeVerb): Promise<string | false> {
  if (verb === 'hang') return confirmHang(member);
  return verb === 'kill' ? confirmKill(member) : confirmEnd(member);
}

async function confirmKill(member: LabProcess): Promise<string | false> {
  const exit = await member.waitExit(killedWithinMs);
  return exit?.signal === 'SIGKILL' && describeGone(member, exit);
}

async function confirmEnd(member: LabProcess): Promise<string | false> {
  const exit = await member.waitExit(endedWithinMs);
  if (exit !== undefined && isCleanEnd(exit)) return describeGone(member, exit);
  const did = exit === undefined ? `did not end within ${endedWithinMs / 1000} s` : describeExit(exit);
  throw new Error(`${member.name} ${did}, expected it to end at SIGTERM ${cleanEndInWords}`);
}

async function confirmHang(member: LabProcess): Promise<string | false> {
  const { pid } = member;
  if (pid === undefined || !(await waitUntil(() => isStopped(pid), stoppedWithinMs))) return false;
  member.mark('stopped');
  return !(await member.answers(silentForMs)) && `stopped by SIGSTOP; no answer within ${silentForMs} ms`;
}

/** Says how the member ended and that its port refuses connections. Returns false when the port still accepts. The
 * shell of an app may end a moment before the process that listens, although one signal killed both. */
async function describeGone({ port }: LabProcess, exit: Exit): Promise<string | false> {
  return (
    (await waitUntil(() => portRefuses(port), goneWithinMs)) &&
    `${describeExit(exit)}; port ${port} refuses connections`
  );
}
