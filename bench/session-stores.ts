import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { stores } from '#src/sessions/registry.js';
import { newSessionId, type SessionRecord } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { findTemporaryBase, type ProgramRun, runProgram } from '#src/simulator/cluster/processes/run-program.js';
import { isStoreServer, plainStores, prepareStore } from '#src/simulator/cluster/stores/registry.js';

/**
 * Measures the cost of one call of each store: with one call in flight (latency), and with 64 (like a busy backend).
 * CPU is that of this process, which is the cost for a backend.
 *
 * Run: node dist/bench/session-stores.js
 */
const sliceMs = 350;
const sessionCount = 500;
const inFlights = [1, 64] as const;

type Step = (id: string, turn: number) => Promise<unknown>;

interface Cost {
  readonly calls: number;
  readonly wallUs: number;
  readonly cpuUs: number;
}

console.log(`${sliceMs} ms per line, ${sessionCount} sessions with a cart of 5; µs per call\n`);
console.log(row('store', 'call', 'in flight', 'wall', 'CPU', 'calls'));
for (const [name, load] of Object.entries(stores)) {
  const entry = await load();
  await withServer(name, async url => {
    const store = entry.open({ url, deadlineMs: 2_000, now: Date.now });
    if (!(await store.ready(5_000))) throw new Error(`the store ${name} is not up`);
    await measureAll(name, store);
    await store.close();
  });
}

async function measureAll(name: string, store: SessionStore): Promise<void> {
  const users = Array.from({ length: sessionCount }, (_, at) => `user-${at}`);
  const ids = users.map(newSessionId);
  await Promise.all(ids.map((id, at) => store.create(id, { ...record(1), user: users[at] ?? '', epochs: undefined })));
  for (const [call, step] of Object.entries(steps(store))) {
    for (const inFlight of inFlights) {
      await measure(step, ids, inFlight, sliceMs / 4);
      const { calls, wallUs, cpuUs } = await measure(step, ids, inFlight, sliceMs);
      console.log(row(name, call, String(inFlight), wallUs.toFixed(1), cpuUs.toFixed(1), String(calls)));
    }
  }
}

function steps(store: SessionStore): Record<string, Step> {
  const versions = new Map<string, number>();
  return {
    read: async id => assertFound((await store.read(id)) !== undefined),
    touch: async id => assertFound(await store.touch(id, Date.now() + 1_800_000)),
    write: async id => {
      const version = (versions.get(id) ?? 1) + 1;
      versions.set(id, version);
      const outcome = await store.replace(id, record(version));
      if (outcome !== 'saved') throw new Error(`an uncontended write was answered "${outcome}"`);
    },
  };
}

function assertFound(isFound: boolean): void {
  if (!isFound) throw new Error('a session is lost');
}

async function measure(step: Step, ids: readonly string[], inFlight: number, forMs: number): Promise<Cost> {
  let calls = 0;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const lane = async () => {
    while (performance.now() - startedAt < forMs) {
      const turn = calls++;
      await step(ids[turn % ids.length] ?? '', turn);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const used = process.cpuUsage(cpu);
  const wallUs = ((performance.now() - startedAt) * 1_000) / calls;
  return { calls, wallUs, cpuUs: (used.user + used.system) / calls };
}

function record(version: number): SessionRecord {
  const createdAtMs = Date.now();
  const cart = Array.from({ length: 5 }, (_, at) => ({ sku: `sku-${at}`, quantity: version + at }));
  const deadlines = { idleUntilMs: createdAtMs + 1_800_000, absoluteUntilMs: createdAtMs + 43_200_000 };
  return { user: 'anna', data: { cart }, version, createdAtMs, epochs: { user: 0, everyone: 0 }, ...deadlines };
}

function row(store: string, call: string, ...numbers: string[]): string {
  return [store.padEnd(9), call.padEnd(6), ...numbers.map(number => number.padStart(9))].join(' ');
}

/** Starts the store's server as the lab does, if the store has one. */
async function withServer(name: string, work: (url?: string) => Promise<void>): Promise<void> {
  if (!isStoreServer(name)) return work();
  const directory = await mkdtemp(path.join(findTemporaryBase(), 'holdfast-bench-'));
  const run = (program: ProgramRun) => runProgram(program, new AbortController().signal);
  const port = await freePort();
  const place = {
    portOf: () => port,
    feedPort: () => port,
    directoryOf: async () => directory,
    run,
  };
  const { steps, url } = await prepareStore(name, plainStores, place);
  const [[spec] = []] = steps;
  if (spec === undefined) throw new Error('a server without a process');
  const child = spawn(spec.command, spec.args, { stdio: 'ignore', env: { ...process.env, ...spec.env }, ...spec.user });
  const killOnExit = () => void child.kill(spec.forks ? 'SIGQUIT' : 'SIGKILL');
  process.once('exit', killOnExit);
  try {
    await Promise.race([work(url(() => port)), ended(name, child)]);
  } finally {
    const gone = once(child, 'exit');
    killOnExit();
    await gone;
    await rm(directory, { recursive: true, force: true });
  }
}

async function ended(name: string, child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`${name} ended with code ${code} in the middle of the measurement`);
}
