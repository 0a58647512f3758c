import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { freeze } from './freeze.js';
import { bootServer, killed } from './server-process.js';
import { freePort, type RedisServer } from './with-redis.js';

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

function boot(port: number, options: readonly string[]): Promise<ChildProcess> {
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
  return bootServer({
    name: 'memcached',
    port,
    args,
    question: 'version\r\n',
    answers: reply => reply.startsWith('VERSION '),
  });
}
