import { autocannon } from './autocannon.js';
import type { Load, LoadResult } from './load.js';
import { isOnPath, type Use, useOf } from './processes.js';
import { inspect, type Standing } from './standing.js';
import type { LoadWorkload } from './workloads.js';
import { wrk } from './wrk.js';

/** The results of one proxy in one round. */
export interface Round {
  readonly cpuMicros: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly residentMb: number;
  /** The busy share of its core. */
  readonly busy: number;
  readonly errors: number;
  readonly fault: string | undefined;
}

export const loadKind = isOnPath('wrk') ? 'wrk' : 'autocannon';
const generate = loadKind === 'wrk' ? wrk : autocannon;

export async function warmUp(standing: Standing, workload: LoadWorkload, seconds: number, folder: string) {
  await generate(loadOn(standing, workload, seconds, folder));
}

export async function round(standing: Standing, workload: LoadWorkload, seconds: number, folder: string) {
  const load = loadOn(standing, workload, seconds, folder);
  const { fault, bytes } = await inspect(standing, workload.request);
  const before = await useOf(standing.child.pid);
  const result = await generate(load);
  return account(result, before, await useOf(standing.child.pid), fault ?? wrongLength(result, bytes, workload));
}

function loadOn(standing: Standing, { request, connections }: LoadWorkload, seconds: number, folder: string): Load {
  const { origin, cookies } = standing;
  return { origin: origin.origin, request, cookies, connections, seconds, folder };
}

function account(result: LoadResult, before: Use, after: Use, fault: string | undefined): Round {
  const { requests, seconds, p50Ms, p99Ms, errors } = result;
  const cpuMs = after.cpuMs - before.cpuMs;
  return {
    cpuMicros: (1000 * cpuMs) / requests,
    requestsPerSecond: requests / seconds,
    p50Ms,
    p99Ms,
    residentMb: after.residentKb / 1024,
    busy: cpuMs / 1000 / seconds,
    errors,
    fault,
  };
}

/** A few more bytes in a head are no fault; the smallest body is longer than this. */
const headBytesOff = 32;

/** Checks the number of bytes. The generator checks the status of each answer and counts bytes. */
function wrongLength({ requests, bytes }: LoadResult, each: number, { connections }: LoadWorkload): string | undefined {
  const expected = requests * each;
  const off = Math.abs(bytes - expected);
  if (off <= Math.max(0.01 * expected, headBytesOff * requests) + connections * each) return undefined;
  return `${bytes} bytes for ${requests} answers of ${each}`;
}
