import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const bootTimeoutMs = 5_000;
const probeIntervalMs = 10;

/** A redis-server of our own, on a free port of the loopback, without persistence. */
export interface RedisServer {
  readonly url: string;
  /** SIGSTOP: connections stay open, writes to them succeed, no answer comes. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Boots it again on the same port, empty. */
  restart(): Promise<void>;
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

/** For `before`; whoever calls it calls `stop` in `after`. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  let child = await boot(port, folder).catch(async error => {
    await removeFolder();
    throw error;
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => killed(child),
    restart: async () => {
      child = await boot(port, folder);
    },
    stop: async () => {
      await killed(child);
      await removeFolder();
    },
  };
}

async function boot(port: number, folder: string): Promise<ChildProcess> {
  const config = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn('redis-server', ['--port', String(port), ...config], { stdio: 'ignore' });
  const failed = once(child, 'exit').then(
    ([code]) => new Error(`redis-server on port ${port} ended with code ${code} instead of serving`),
    error => new Error('redis-server cannot be started; install it: apt-get install redis-server', { cause: error }),
  );
  const killOnExit = () => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  void failed.then(() => process.off('exit', killOnExit));
  const failure = await Promise.race([answersPing(port), failed]);
  if (failure === undefined) return child;
  await killed(child);
  throw failure;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function answersPing(port: number): Promise<Error | undefined> {
  const giveUpAtMs = Date.now() + bootTimeoutMs;
  while (Date.now() < giveUpAtMs) {
    if (await pings(port)) return undefined;
    await delay(probeIntervalMs);
  }
  return new Error(`redis-server on port ${port} answered no PING within ${bootTimeoutMs} ms`);
}

async function pings(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [reply] = await once(socket, 'data');
    return String(reply) === '+PONG\r\n';
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}
