import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The measured proxy has a core of its own; load generator and backends share the other. */
export const cores = { proxy: 0, others: 1 } as const;

/** The unit of /proc: USER_HZ of Linux. */
const tickMs = 10;

export function isOnPath(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', command]).status === 0;
}

/** Returns a program's version text; some print it to stderr. */
export function versionOf(command: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? '';
}

export const canPin = isOnPath('taskset');

/** Pins the command to a core where the machine can do that. */
function pinned(core: number, command: string, args: readonly string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, [...args]];
}

/** All processes that were started here and are still running. */
const running = new Set<ChildProcess>();

function kept(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** Starts a command. Its output is hidden, and shown only if it ends by itself. */
export function start(core: number, { command, args }: Command): ChildProcess {
  const [program, all] = pinned(core, command, args);
  return kept(spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] }));
}

/** Starts a script of ours that sends messages back. */
export function startScript(core: number, file: string, args: readonly string[]): ChildProcess {
  const [execPath, execArgv] = pinned(core, process.execPath, []);
  return kept(fork(file, args, { execPath, execArgv }));
}

/** Runs the command to its end and returns its standard output. */
export async function output(core: number, { command, args }: Command): Promise<string> {
  const [program, all] = pinned(core, command, args);
  const child = kept(spawn(program, all, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  return Buffer.concat(chunks).toString();
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await gone;
  clearTimeout(patience);
}

/** Stops all with SIGTERM, so that they can stop their own children. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(stop));
}

/** Sends the last signal in a process that exits without waiting. */
export function tellAllToStop(): void {
  for (const child of running) child.kill('SIGTERM');
}

export interface Use {
  /** User and system time of all threads. */
  readonly cpuMs: number;
  readonly residentKb: number;
}

/** Returns what a process and all its children have used so far. */
export async function useOf(pid: number | undefined): Promise<Use> {
  const all = await Promise.all((await familyOf(Number(pid))).map(useOfOne));
  return {
    cpuMs: all.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    residentKb: all.reduce((sum, { residentKb }) => sum + residentKb, 0),
  };
}

async function useOfOne(pid: number): Promise<Use> {
  const [fields, status] = await Promise.all([statOf(pid), readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')]);
  return {
    cpuMs: (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickMs,
    residentKb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0),
  };
}

/** Returns the fields from the third on: the name before may contain spaces and parentheses. */
async function statOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(') ') + 2).split(' ');
}

async function familyOf(pid: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number);
  const parents = new Map(await Promise.all(pids.map(async each => [each, Number((await statOf(each))[1])] as const)));
  const isOurs = (each: number | undefined): boolean =>
    each === pid || (each !== undefined && each > 1 && isOurs(parents.get(each)));
  return pids.filter(isOurs);
}

/** Waits until its memory has changed by at most one per cent for a second. */
export async function settledKb(pid: number | undefined): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < settleLooksMax; look += 1) {
    looks.push((await useOf(pid)).residentKb);
    const last = looks.slice(-5);
    if (last.length === 5 && Math.max(...last) < 1.01 * Math.min(...last)) break;
    await sleep(250);
  }
  return looks.at(-1) ?? 0;
}
const settleLooksMax = 60;

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(server => once(server, 'listening')));
  const ports = servers.map(server => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map(server => once(server.close(), 'close')));
  return ports;
}
