import { createHash, randomBytes } from 'node:crypto';
import { chown, copyFile, lstat, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SystemUser } from '../../processes/process-member.js';
import type { RunProgram } from '../../processes/run-program.js';
import { archiveFolder, type Programs } from './programs.js';

export const role = 'holdfast';
/** Its messages in English and its times in no zone of ours, whatever the user's own settings are. */
export const env = { LC_ALL: 'C', TZ: 'UTC' };

/** Whoever has not finished writing by then never will. */
const writingWithinMs = 60_000;

export interface EmptyDatabase {
  readonly programs: Programs;
  readonly version: string;
  /** There already, and empty: the database becomes its folder `data`. */
  readonly directory: string;
  /** Whom it belongs to; undefined: us. */
  readonly user: SystemUser | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly run: RunProgram;
}

/**
 * Makes an empty database into which nobody can log in yet. All of one version and with the same settings are the same,
 * and to make one takes a second of the processor, to unpack one a tenth of it:
 *
 *     archive of ours there? ── yes ── tar -x ── went well? ── yes ──────────────────────────── data
 *              └── no ──────────────────────────────── └── no ── initdb, tar -c, rename ─────── data
 *
 * One archive for each machine, beside the programs: it goes when they go. Where it cannot be kept each makes its own.
 */
export async function makeEmptyDatabase(wanted: EmptyDatabase, folder = archiveFolder()): Promise<void> {
  const archive = path.join(folder, archiveName(wanted));
  if ((await isOurs(archive)) && (await unpack(archive, wanted))) return;
  await initialise(wanted);
  await keepArchive(archive, wanted);
}

/** The password of the role is in no archive: each database gets its own. */
function initdbArgs({ settings }: EmptyDatabase): string[] {
  return [
    ...['--username', role, '--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--no-sync', '--no-instructions'],
    ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ];
}

/** With all that makes one differ from another: `node_modules` may be seen by several systems. */
function archiveName(wanted: EmptyDatabase): string {
  const { version, user } = wanted;
  const kind = JSON.stringify([version, process.platform, process.arch, user, env, initdbArgs(wanted)]);
  return `postgres-${version}-${createHash('sha256').update(kind).digest('hex').slice(0, 16)}.tar`;
}

/** What others could have written could be anything. */
async function isOurs(archive: string): Promise<boolean> {
  const found = await lstat(archive).catch(() => undefined);
  return found?.isFile() === true && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

/** Run as ourselves: as root it gives each file to whom it belonged. */
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
}

/** Packed where whoever dies leaves nothing; then whole on the disk before it has its name, which several may give it. */
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
    // No tar, no room, not our folder: the next one is made as this one was.
    await rm(fresh, { force: true }).catch(() => undefined);
  }
  await rm(packed, { force: true });
}

/** What somebody has left who was killed while writing. */
async function removeUnfinished(archive: string): Promise<void> {
  const folder = path.dirname(archive);
  const names = (await readdir(folder)).filter(name => name.startsWith(`${path.basename(archive)}.`));
  for (const file of names.map(name => path.join(folder, name))) {
    const found = await lstat(file).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > writingWithinMs) await rm(file, { force: true });
  }
}
