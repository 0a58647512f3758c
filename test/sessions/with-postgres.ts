import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { isGone, waitUntil } from '#src/simulator/cluster/probe.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { quitFamily, type Signal, signalFamily } from '#src/simulator/cluster/processes/process-family.js';
import type { ProcessSpec } from '#src/simulator/cluster/processes/process-member.js';
import { findTemporaryBase, runProgram } from '#src/simulator/cluster/processes/run-program.js';
import { postgres } from '#src/simulator/cluster/stores/postgres.js';
import { plainStores } from '#src/simulator/cluster/stores/registry.js';
import type { RedisServer } from './with-redis.js';

const bootTimeoutMs = 10_000;
const probeIntervalMs = 10;

/** A PostgreSQL for tests, on a free loopback port. It has the same methods as the other servers, but keeps its data
 * over a restart. */
export type PostgresServer = RedisServer;

export async function withPostgres<T>(work: (server: PostgresServer) => Promise<T>): Promise<T> {
  const server = await startPostgres();
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Starts it. Call it in `before`, and its `stop` in `after`. It is the same server as in the lab, without the lab.
 *
 * It does not sync its files (`-F`). The tests kill the process, not the machine, and the kernel keeps what was written.
 * A sync takes seconds while other programs write to the same disk: longer than the deadline of a statement. */
export async function startPostgres(): Promise<PostgresServer> {
  const directory = await mkdtemp(path.join(findTemporaryBase(), 'holdfast-postgres-'));
  const removeDirectory = () => rm(directory, { recursive: true, force: true, maxRetries: 5 });
  const run = (program: Parameters<typeof runProgram>[0]) => runProgram(program, new AbortController().signal);
  const port = await freePort();
  const place = {
    spec: plainStores.postgres,
    portOf: () => port,
    feedPort: () => port,
    directoryOf: async () => directory,
    run,
  };
  const { steps, url } = await postgres.prepare(place);
  const [[spec] = []] = steps;
  if (spec === undefined) throw new Error('a server without a process');
  let child = await boot(spec).catch(async error => {
    await removeDirectory();
    throw error;
  });
  const strike = (name: Signal) => signalFamily(child.pid ?? 0, name);
  return {
    url: url(() => port),
    freeze: () => void strike('SIGSTOP'),
    thaw: () => void strike('SIGCONT'),
    kill: async () => {
      let struck: readonly number[] = [];
      await ended(child, () => {
        struck = strike('SIGKILL');
      });
      // The port and shared memory are free for the next boot when the last child process has ended.
      await waitUntil(async () => (await Promise.all(struck.map(isGone))).every(Boolean), bootTimeoutMs);
    },
    restart: async () => {
      child = await boot(spec);
    },
    stop: async () => {
      await ended(child, () => quitFamily(child.pid ?? 0));
      await removeDirectory();
    },
  };
}

/** Runs one SQL query on a new connection. */
export async function sql(server: { readonly url: string }, text: string, values: unknown[] = []) {
  return withClient(server, async client => (await client.query<Record<string, unknown>>(text, values)).rows);
}

export async function withClient<T>({ url }: { readonly url: string }, work: (client: pg.Client) => Promise<T>) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function boot(spec: ProcessSpec): Promise<ChildProcess> {
  const env = { ...process.env, ...spec.env };
  const child = spawn(spec.command, [...spec.args, '-F'], { stdio: 'ignore', env, ...spec.user });
  const endOnExit = () => void quitFamily(child.pid ?? 0);
  process.once('exit', endOnExit);
  child.once('exit', () => process.off('exit', endOnExit));
  const giveUpAtMs = Date.now() + bootTimeoutMs;
  while (child.exitCode === null && child.signalCode === null && Date.now() < giveUpAtMs) {
    if (await spec.answers(bootTimeoutMs)) return child;
    await delay(probeIntervalMs);
  }
  await ended(child, () => signalFamily(child.pid ?? 0, 'SIGKILL'));
  throw new Error(`PostgreSQL did not come up on port ${spec.port}`);
}

async function ended(child: ChildProcess, end: () => unknown): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  end();
  await gone;
}
