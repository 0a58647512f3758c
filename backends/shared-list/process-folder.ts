import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';

/** The folder of one process in a shared directory. */
export interface ProcessFolder {
  /** The directory that all processes share. */
  readonly directory: string;
  /** The folder of this process in that directory. */
  readonly own: string;
  /** Removes the folder of this process. A second call is a no-op. */
  leave(): void;
}

/** Another process of this name is running. */
export class FolderTaken extends Error {
  override readonly name = 'FolderTaken';

  constructor(folder: string) {
    super(`${folder} belongs to a process that is still running`);
  }
}

const socketName = 's';

/**
 * Makes the folder `<name>~<boot>`. Removes the folders of dead processes: the sessions that they list were lost with
 * the memory. Rejects with `FolderTaken` while another process of this name runs. If the folder cannot be made, it
 * rejects with the error of the file system. `name` must not contain `~`.
 *
 * Each folder has a socket without any traffic. If it accepts a connection, its process lives, even a stopped one. The
 * kernel closes it with the process, however the process died. Unlike a process id, no other process can inherit it. It
 * works across containers that share the directory, but not across machines.
 *
 * A folder gets its name only when its socket listens; then the process looks at the other folders. So of two processes
 * that start at the same time, at least one sees the other.
 */
export async function createProcessFolder(directory: string, name: string): Promise<ProcessFolder> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const boot = randomBytes(8).toString('hex');
  const [draft, own] = [path.join(directory, boot), path.join(directory, `${name}~${boot}`)];
  await mkdir(draft, { mode: 0o700 });
  let stopListening: () => void = () => undefined;
  const folder = {
    directory,
    own,
    leave: () => {
      stopListening();
      for (const folder of [draft, own]) rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    stopListening = await listenIn(draft);
    await rename(draft, own);
    await removeDeadFolders(directory, own, name);
    return folder;
  } catch (error) {
    folder.leave();
    throw error;
  }
}

async function removeDeadFolders(directory: string, own: string, name: string): Promise<void> {
  const names = (await readdir(directory)).filter(each => each.includes('~'));
  const folders = names.map(each => path.join(directory, each)).filter(folder => folder !== own);
  const isLive = await Promise.all(folders.map(isAlive));
  const running = folders.find((folder, at) => isLive[at] && path.basename(folder).startsWith(`${name}~`));
  if (running !== undefined) throw new FolderTaken(running);
  for (const folder of folders.filter((_, at) => !isLive[at])) rmSync(folder, { recursive: true, force: true });
}

/** Listens in the folder, without keeping the process alive. Resolves with the function that stops it. */
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
    // The descriptor is closed last: its path is used to remove the socket.
    closeSync(descriptor);
  };
}

/** True if the process of the folder lives. Any doubt counts as alive, so that no live list is removed. */
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

/** Returns the address of the socket. Linux limits it to 107 bytes, and a path may be longer. The path of a descriptor
 * is always short. */
function addressIn(folder: string, descriptor: number): string {
  const short = process.platform === 'linux' ? `/proc/self/fd/${descriptor}` : folder;
  return path.join(short, socketName);
}
