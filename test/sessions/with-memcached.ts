import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freeze } from './freeze.js';
import { freePort, type RedisServer } from './with-redis.js';

const bootTimeoutMs = 5_000;
const probeIntervalMs = 10;
const megabytes = 64;

/** A memcached of our own, on a free port of the loopback: what it can do is what the other servers can. */
export type MemcachedServer = RedisServer;

/** `options` such as `-m 1`, added to our own. For `before`; whoever calls it calls `stop` in `after`. */
export async function startMemcached(...options: readonly string[]): Promise<MemcachedServer> {
  const port = await freePort();
  let child = await boot(port, options);
  return {
    url: `memcached://127.0.0.1:${port}`,
    freeze: () => freeze(child),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => killed(child),
    restart: async () => {
      child = await boot(port, options);
    },
    stop: () => killed(child),
  };
}

/** One question in memcached's own words, on a connection of its own; the answer ends with `end`. */
export async function tell(server: MemcachedServer, question: string, end = '\r\n'): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write(question);
    let answer = '';
    while (!answer.endsWith(end)) answer += String((await once(socket, 'data'))[0]);
    return answer;
  } finally {
    socket.destroy();
  }
}

async function boot(port: number, options: readonly string[]): Promise<ChildProcess> {
  // Memcached refuses to be root, and asks for the name of somebody who is not.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const args = [
    '-l',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    '0',
    '-m',
    String(megabytes),
    '-t',
    '1',
    ...user,
    ...options,
  ];
  const child = spawn('memcached', args, { stdio: 'ignore' });
  const failed = once(child, 'exit').then(
    ([code]) => new Error(`memcached on port ${port} ended with code ${code} instead of serving`),
    error => new Error('memcached cannot be started; install it: apt-get install memcached', { cause: error }),
  );
  const killOnExit = () => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  void failed.then(() => process.off('exit', killOnExit));
  const failure = await Promise.race([answersVersion(port), failed]);
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

async function answersVersion(port: number): Promise<Error | undefined> {
  const giveUpAtMs = Date.now() + bootTimeoutMs;
  while (Date.now() < giveUpAtMs) {
    if (await saysVersion(port)) return undefined;
    await delay(probeIntervalMs);
  }
  return new Error(`memcached on port ${port} told no version within ${bootTimeoutMs} ms`);
}

async function saysVersion(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write('version\r\n');
    const [reply] = await once(socket, 'data');
    return String(reply).startsWith('VERSION ');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
