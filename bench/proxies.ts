/**
 * Reverse proxies side by side in one run: the same three backends, the same load, one after the other, with an affinity
 * cookie where the proxy knows one. What counts are the ratios: CPU of the proxy process per request, requests/s, p99,
 * resident memory. A peer that is not on PATH is left out and said so.
 *
 *   node dist/bench/proxies.js [seconds per proxy, default 5]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { type Peer, peers } from './proxies/peers.js';

const durationS = Number(process.argv[2] ?? 5);
const connections = 64;
const backendCount = 3;
/** USER_HZ of Linux, in which /proc counts. */
const tickMs = 10;

interface Row {
  readonly name: string;
  readonly cpuMicros: number;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  readonly residentMb: number;
  readonly bad: number;
}

const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-'));
const backends = Array.from({ length: backendCount }, () => fork(path.join(import.meta.dirname, 'proxies/backend.js')));
const started: ChildProcess[] = [...backends];
try {
  const ports = await Promise.all(backends.map(async backend => Number((await once(backend, 'message'))[0])));
  const rows: Row[] = [];
  for (const [name, peer] of Object.entries(peers)) {
    const row = await measure(name, peer, ports);
    if (row === undefined) console.log(`${name}: not on PATH, left out`);
    else rows.push(row);
  }
  print(rows);
} finally {
  for (const child of started) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

async function measure(name: string, peer: Peer, backendPorts: readonly number[]): Promise<Row | undefined> {
  const port = await freePort();
  const { command, args } = await peer({ port, backendPorts, folder });
  const child = spawn(command, args, { stdio: 'ignore' });
  started.push(child);
  const failed = once(child, 'error').then(() => true);
  if (await Promise.race([failed, answers(port)])) return undefined;
  const cookie = await affinityCookie(port);
  await load(port, cookie, 1);
  const before = await cpuMs(child.pid);
  const result = await load(port, cookie, durationS);
  const spent = (await cpuMs(child.pid)) - before;
  const residentMb = await residentMbOf(child.pid);
  child.kill('SIGTERM');
  await once(child, 'exit');
  return {
    name,
    cpuMicros: (1000 * spent) / result.requests.total,
    requestsPerSecond: result.requests.average,
    p99Ms: result.latency.p99,
    residentMb,
    bad: result.non2xx + result.errors,
  };
}

/** Resolves with false once it answers 200; a proxy may need a health check first. */
async function answers(port: number): Promise<false> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (response?.ok === true) return false;
    await sleep(50);
  }
}

async function affinityCookie(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return response.headers
    .getSetCookie()
    .map(line => line.split(';')[0])
    .join('; ');
}

function load(port: number, cookie: string, duration: number): Promise<autocannon.Result> {
  const headers = cookie === '' ? {} : { cookie };
  return autocannon({ url: `http://127.0.0.1:${port}/`, connections, duration, headers });
}

/** User and system time of a process; fields 14 and 15 of its stat, counted behind the name in parentheses. */
async function cpuMs(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

async function residentMbOf(pid: number | undefined): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function print(rows: readonly Row[]): void {
  const base = rows.find(({ name }) => name === 'http-proxy') ?? rows[0];
  console.log(`${connections} connections, ${durationS} s each; ratios to ${base?.name}`);
  console.log('proxy             µs CPU/request  ratio  requests/s  ratio  p99 ms  resident MB  not 2xx');
  for (const { name, cpuMicros, requestsPerSecond, p99Ms, residentMb, bad } of rows) {
    console.log(
      [
        name.padEnd(18),
        cpuMicros.toFixed(1).padStart(14),
        (cpuMicros / (base?.cpuMicros ?? 1)).toFixed(2).padStart(7),
        Math.round(requestsPerSecond).toLocaleString('en').padStart(12),
        (requestsPerSecond / (base?.requestsPerSecond ?? 1)).toFixed(2).padStart(7),
        String(p99Ms).padStart(8),
        residentMb.toFixed(0).padStart(13),
        String(bad).padStart(9),
      ].join(''),
    );
  }
}
