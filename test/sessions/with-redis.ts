import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { freeze } from './freeze.js';
import { bootServer, killed } from './server-process.js';

/** A redis-server or sentinel for tests. */
export interface RedisProcess {
  readonly port: number;
  /** Sends SIGSTOP: connections stay open, writes to them succeed, and no reply comes. */
  freeze(): void;
  thaw(): void;
  /** Sends SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Boots it again on the same port with its data on disk; most have none. */
  restart(): Promise<void>;
}

/** A store server on free loopback ports, without persistence. */
export interface RedisServer extends Omit<RedisProcess, 'port'> {
  readonly url: string;
  /** Kills it and removes its directory. */
  stop(): Promise<void>;
}

export async function withRedis<T>(work: (server: RedisServer) => Promise<T>): Promise<T> {
  const server = await startRedis();
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Starts it. Call it in `before`, and its `stop` in `after`. */
export async function startRedis(): Promise<RedisServer> {
  return startIn('holdfast-redis-', async folder => {
    const server = await startProcess(await freePort(), serverArguments(folder));
    return { ...server, url: `redis://127.0.0.1:${server.port}`, stop: server.kill };
  });
}

/** Runs `start` in a temporary directory. The directory is removed after `stop`, or if it fails. */
export async function startIn<Server extends { stop(): Promise<void> }>(
  prefix: string,
  start: (folder: string) => Promise<Server>,
): Promise<Server> {
  const folder = await mkdtemp(path.join(tmpdir(), prefix));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const server = await start(folder).catch(async error => {
    await removeFolder();
    throw error;
  });
  return { ...server, stop: () => server.stop().finally(removeFolder) };
}

export function serverArguments(folder: string): readonly string[] {
  return ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
}

/** Starts redis-server with `args` beside the port. Resolves when it answers. After a failure, nothing is left. */
export async function startProcess(port: number, args: readonly string[]): Promise<RedisProcess> {
  let child = await boot(port, args);
  return {
    port,
    freeze: () => freeze(child),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => killed(child),
    restart: async () => {
      child = await boot(port, args);
    },
  };
}

/** Sends one command on a new connection. Returns the reply as text. */
export async function told(port: number, command: string, ...args: readonly (string | number)[]): Promise<string> {
  const client = new Redis(port, '127.0.0.1', { enableReadyCheck: false, retryStrategy: () => null });
  try {
    return String(await client.call(command, ...args));
  } finally {
    client.disconnect();
  }
}

function boot(port: number, args: readonly string[]): Promise<ChildProcess> {
  return bootServer({
    name: 'redis-server',
    port,
    args: [...args, '--port', String(port)],
    question: 'PING\r\n',
    answers: reply => reply === '+PONG\r\n',
  });
}
