import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';

/** The folder of one process in a directory that several share. */
export interface ProcessFolder {
  /** What all of them share. */
  readonly directory: string;
  /** The own folder in it. */
  readonly own: string;
  /** Removes the own folder. A second call is no error. */
  leave(): void;
}

/** Somebody of that name is there already, and lives. */
export class PlaceTaken extends Error {
  constructor(folder: string) {
    super(`${folder} belongs to a process that is still running`);
    this.name = new.target.name;
  }
}

const socketName = 's';

/**
 * Makes the folder `<name>~<boot>`, and removes those of processes that are no more: whatever their folders list was lost
 * with their memory. Rejects with `PlaceTaken` while another process of this name lives, and with what the file system
 * says when there can be no such folder. `name` is one without `~`.
 *
 * In each folder is a socket, on which nobody says anything: whoever can connect to it knows that its process lives, a
 * stopped one too. The kernel ends it with the process, whatever the process died of, and no other one inherits it as
 * it would a process id. It reaches across containers that share the directory, but not across machines.
 *
 * A folder has its name only when its socket listens, and then the others are looked at: of two that start at the same
 * time at least one sees the other.
 */
export async function takePlace(directory: string, name: string): Promise<ProcessFolder> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const boot = randomBytes(8).toString('hex');
  const [draft, own] = [path.join(directory, boot), path.join(directory, `${name}~${boot}`)];
  await mkdir(draft, { mode: 0o700 });
  let hush: () => void = () => undefined;
  const place = {
    directory,
    own,
    leave: () => {
      hush();
      for (const folder of [draft, own]) rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    hush = await listenIn(draft);
    await rename(draft, own);
    await removeTheDead(directory, own, name);
    return place;
  } catch (error) {
    place.leave();
    throw error;
  }
}

async function removeTheDead(directory: string, own: string, name: string): Promise<void> {
  const names = (await readdir(directory)).filter(each => each.includes('~'));
  const folders = names.map(each => path.join(directory, each)).filter(folder => folder !== own);
  const living = await Promise.all(folders.map(isAlive));
  const namesake = folders.find((folder, at) => living[at] && path.basename(folder).startsWith(`${name}~`));
  if (namesake !== undefined) throw new PlaceTaken(namesake);
  for (const folder of folders.filter((_, at) => !living[at])) rmSync(folder, { recursive: true, force: true });
}

/** Keeps nobody from ending. Answers with how to stop it. */
async function listenIn(folder: string): Promise<() => void> {
  const descriptor = openSync(folder, 'r');
  const server = createServer(socket => socket.destroy()).unref();
  try {
    await once(server.listen(addressIn(folder, descriptor)), 'listening');
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return () => {
    if (!server.listening) return;
    server.close();
    // Only now: by this descriptor the socket was removed.
    closeSync(descriptor);
  };
}

/** What cannot be told is taken for alive: nobody's list goes because of a doubt. */
async function isAlive(folder: string): Promise<boolean> {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(folder, 'r');
    const socket = connect(addressIn(folder, descriptor));
    await once(socket, 'connect').finally(() => socket.destroy());
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTDIR';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Linux takes at most 107 bytes for the address of a socket, and a path may be longer: by its descriptor every folder
 * has a short one. */
function addressIn(folder: string, descriptor: number): string {
  const short = process.platform === 'linux' ? `/proc/self/fd/${descriptor}` : folder;
  return path.join(short, socketName);
}
