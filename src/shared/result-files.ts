import { rmSync } from 'node:fs';
import { lstat, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Files and folders for the results of a command. */

export const latestName = 'latest';

/** Writes a text file. It appears complete or not at all. */
export async function writeWhole(file: string, text: string | Iterable<string>): Promise<void> {
  await writeAtomically(file, (part, flag) => writeFile(part, text, { flag }));
}

/** Returns the name under which a file is written until it is complete. */
export function partOf(file: string): string {
  return `${file}.part`;
}

/** Writes a file atomically: under another name, then renames it. Removes a partial file on failure and on exit. An
 * error of the file system names the file. */
export async function writeAtomically(
  file: string,
  write: (file: string, flag: 'a' | 'w') => Promise<void>,
): Promise<void> {
  try {
    await writePart(file, write);
  } catch (error) {
    // Node.js names no file when the disk is full.
    if (error instanceof Error && 'syscall' in error && !error.message.includes(file))
      error.message = `${file} cannot be written: ${error.message}`;
    throw error;
  }
}

async function writePart(file: string, write: (file: string, flag: 'a' | 'w') => Promise<void>): Promise<void> {
  // A device, a pipe or a link, such as /dev/stdout, is written to and never replaced.
  const there = await lstat(file).catch(() => undefined);
  // /dev/stdout may be a redirected file: append, so that earlier output stays.
  if (there !== undefined && !there.isFile()) return write(file, file.startsWith('/dev/') ? 'a' : 'w');
  const part = partOf(file);
  const discard = () => rmSync(part, { force: true });
  process.once('exit', discard);
  try {
    await write(part, 'w');
    await rename(part, file);
  } catch (error) {
    discard();
    throw error;
  } finally {
    process.off('exit', discard);
  }
}

/** Returns for example `2026-11-30T20-15-03Z`. Some file systems allow no colon in a name. */
function nameOf(time: Date): string {
  return time
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
}

/**
 * Makes a folder that is named after a time, in a folder that is made, too. Returns its path. When two commands start
 * within one second, the later one gets `-2`. Rejects with the error of the file system.
 */
export async function makeTimedFolder(parent: string, time: Date): Promise<string> {
  await mkdir(parent, { recursive: true });
  const name = nameOf(time);
  for (let number = 1; ; number += 1) {
    const folder = path.join(parent, number === 1 ? name : `${name}-${number}`);
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

/** Makes the link `latest` beside a folder point to it, atomically. Where links cannot be made, it writes `latest.txt`. */
export async function pointLatest(folder: string): Promise<void> {
  const [parent, name] = [path.dirname(folder), path.basename(folder)];
  const link = path.join(parent, latestName);
  const fresh = path.join(parent, `.${latestName}-${name}`);
  try {
    await symlink(name, fresh);
    await rename(fresh, link);
  } catch {
    await rm(fresh, { force: true });
    await writeWhole(`${link}.txt`, `${name}\n`);
  }
}
