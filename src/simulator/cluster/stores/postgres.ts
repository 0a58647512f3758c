import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, chown } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { quoteForShell } from '../../../shared/text.js';
import { LabError } from '../../errors.js';
import { map, oneOf } from '../../scenario/values.js';
import { answersWith } from '../probe.js';
import type { ProcessSpec } from '../processes/process-member.js';
import { isOpenToAll, type RunProgram, type SystemUser } from '../processes/run-program.js';
import { buildSingleShape, defineStoreServer } from '../store-server.js';
import { env, findPrograms, makeEmptyDatabase, type Programs, role, userForPostgres } from './postgres/setup.js';

/**
 * Settings that differ from the defaults. All durability settings are on: an acknowledged transaction survives SIGKILL.
 * The server creates nothing outside its folder: no Unix socket, and shared memory beyond the main segment is in files
 * of that folder.
 */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  dynamic_shared_memory_type: 'mmap',
  // Each backend of the lab can open eleven connections.
  max_connections: '400',
  shared_buffers: '32MB',
  io_method: 'sync',
  // Iterations slow down password guessing. The password is random, and each connection would pay for them.
  scram_iterations: '1',
  log_min_messages: 'fatal',
  // After a crash it first syncs all its files: with a thousand fsyncs, or with one call where the kernel offers it.
  ...(process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
};

/**
 * Settings for asynchronous commits. An acknowledged transaction takes a second to reach the disk, three at most. With
 * the default of a fifth of that, it would depend on chance whether a kill loses anything. Only the timer starts a
 * write.
 */
const asynchronous = { synchronous_commit: 'off', wal_writer_delay: '1s', wal_writer_flush_after: '64MB' };

interface Home {
  readonly programs: Programs;
  readonly directory: string;
  readonly user: SystemUser | undefined;
}

/** Sets a random password for the only role, because that role may run programs. The password goes over standard input,
 * where no other user can read it, to a server in single-user mode, which listens on no port. */
async function setPassword({ programs, directory, user }: Home, password: string, run: RunProgram): Promise<void> {
  const data = path.join(directory, 'data');
  const args = ['--single', '-c', 'exit_on_error=on', '-D', data, 'postgres'];
  const input = `ALTER ROLE ${role} PASSWORD '${password}'\n`;
  await run({ command: path.join(programs, 'bin/postgres'), args, env, directory, user, input });
}

/** Appends settings to the configuration file. The last line of a setting takes effect. */
async function addSettings(directory: string, added: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(added).map(([name, value]) => `${name} = '${value}'\n`);
  await appendFile(path.join(directory, 'data/postgresql.conf'), lines.join(''));
}

/** Returns the version, for example "18.4", from "postgres (PostgreSQL) 18.4". */
async function versionOf(programs: Programs): Promise<string> {
  const asked = promisify(execFile)(path.join(programs, 'bin/postgres'), ['--version'], { timeout: 5_000 });
  const { stdout } = await asked.catch(({ message }: Error) => {
    // The programs are linked to the GNU C library. On a system with another C library they cannot be loaded.
    throw new LabError(
      `The programs of PostgreSQL do not run on this system. Name your own server with --postgres-url.\n${message}`,
    );
  });
  return /\d[\d.]*/.exec(stdout)?.[0] ?? stdout.trim();
}

function specOf(programs: Programs, port: number, directory: string, user: SystemUser | undefined): ProcessSpec {
  const [command, data] = [path.join(programs, 'bin/postgres'), path.join(directory, 'data')];
  return {
    name: 'postgres',
    role: 'store',
    port,
    command,
    args: ['-D', data, '-p', String(port)],
    env,
    forks: true,
    user,
    answers: (withinMs, at = port) => answersWith(at, hello, wantsPassword, withinMs),
    remedy: `${quoteForShell(command)} -D ${quoteForShell(data)} -p ${port}   (run it by hand to see its output)`,
  };
}

/** Startup message (protocol 3.0): length, version, zero-terminated names and values, and a final zero. */
const hello = buildStartup(['user', role, 'database', 'postgres']);

function buildStartup(words: readonly string[]): Buffer {
  const text = Buffer.from(`${words.join('\0')}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + text.length, 0);
  head.writeInt32BE(3 << 16, 4);
  return Buffer.concat([head, text]);
}

/** Returns whether the server asks for the password (`R`). While it starts it answers with an error (`E`). */
function wantsPassword(answer: Buffer): boolean {
  return answer.toString('latin1', 0, 1) === 'R';
}

export interface PostgresSpec {
  /** `asynchronous`: an acknowledged transaction can take a second to reach the disk. */
  readonly commit: 'synchronous' | 'asynchronous';
}

const schema = map('system.postgres', {
  commit: oneOf('commit', ['synchronous', 'asynchronous'])
    .default('synchronous')
    .describe('asynchronous: an acknowledged transaction takes a second to reach the disk.'),
});

/** PostgreSQL keeps everything on disk: a kill loses no acknowledged transaction, unless commits are asynchronous. */
export const postgres = defineStoreServer({
  schema: schema.prefault({}),
  specOf: (settings): PostgresSpec => settings,
  memberSettings: [],
  survivesSigterm:
    'found postgres, which waits at SIGTERM until its clients disconnect, and backends never do: use "kill"',
  shape: () => buildSingleShape('postgres'),
  async prepare({ spec, portOf, directoryOf, run }) {
    const user = userForPostgres();
    const [port, directory] = [portOf('postgres'), await directoryOf('postgres')];
    const above = path.dirname(directory);
    if (user !== undefined && !isOpenToAll(above)) {
      const why =
        'PostgreSQL refuses to run as root and cannot enter it as "nobody"; set TMPDIR to a folder that other users can enter';
      throw new LabError(`${above}: ${why}`);
    }
    const programs = await findPrograms(user, directory);
    const version = await versionOf(programs);
    const home = { programs, directory, user };
    if (user !== undefined) await chown(directory, user.uid, user.gid);
    await makeEmptyDatabase({ ...home, version, settings, run });
    if (spec.commit === 'asynchronous') await addSettings(directory, asynchronous);
    const password = randomBytes(24).toString('base64url');
    await setPassword(home, password, run);
    const url = (seen: typeof portOf) => `postgresql://${role}:${password}@127.0.0.1:${seen('postgres')}/postgres`;
    return { steps: [[specOf(programs, port, directory, user)]], url, versions: { postgres: version } };
  },
});
