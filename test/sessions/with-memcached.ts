import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { freeze } from './freeze.js';
import { bootServer, killed } from './server-process.js';
import type { RedisServer } from './with-redis.js';

const megabytes = 64;

/** A memcached for tests, on a free loopback port. It has the same methods as the other servers. */
export type MemcachedServer = RedisServer;

/** Starts it with additional `options` such as `-m 1`. Call it in `before`, and its `stop` in `after`. */
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

/** Sends one command of memcached's protocol on a new connection. The reply ends with `end`. */
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

function boot(port: number, options: readonly string[]): Promise<ChildProcess> {
  // memcached refuses to run as root, and needs the name of another user.
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
  return bootServer({
    name: 'memcached',
    port,
    args,
    question: 'version\r\n',
    answers: reply => reply.startsWith('VERSION '),
  });
}
