import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { findTemporaryBase } from '#src/simulator/cluster/processes/run-program.js';
import { userForPostgres } from '#src/simulator/cluster/stores/postgres/setup.js';
import { until } from './until.js';

export interface PgBouncer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a PgBouncer in transaction mode in front of a PostgreSQL, with its default settings otherwise. Few server
 * connections serve many clients, so that each client often gets another one. */
export async function startPgBouncer(target: string): Promise<PgBouncer> {
  const [port, server] = [await freePort(), new URL(target)];
  const directory = await mkdtemp(path.join(findTemporaryBase(), 'holdfast-pgbouncer-'));
  const file = path.join(directory, 'pgbouncer.ini');
  await writeFile(file, settings(server, port));
  const user = userForPostgres();
  if (user !== undefined) await Promise.all([directory, file].map(each => chown(each, user.uid, user.gid)));
  const env = { PATH: `${process.env.PATH}:/usr/sbin` };
  const child = spawn('pgbouncer', ['-q', file], { stdio: 'ignore', env, ...user });
  const stop = async () => {
    await ended(child);
    await rm(directory, { recursive: true, force: true });
  };
  process.once('exit', () => void child.kill('SIGKILL'));
  await until(() => accepts(port));
  return { url: `postgresql://${server.username}@127.0.0.1:${port}${server.pathname}`, stop };
}

function settings({ hostname, port, username, password }: URL, own: number): string {
  return `[databases]
* = host=${hostname} port=${port} user=${username} password='${decodeURIComponent(password)}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
