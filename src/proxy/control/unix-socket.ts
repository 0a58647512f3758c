import { lstat, rename, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

/** Gives the socket the mode 0600: only this user, and root, may connect. */
const ownerOnlyUmask = 0o177;

/**
 * Listens on a Unix socket at `path`. A stale socket there is replaced. Rejects when another kind of file is there, or
 * when another process listens, unless that is the predecessor (`mayReplace`). Resolves with a function that removes the
 * socket.
 *
 * The socket is renamed to `path` when it is ready. So a client finds the old one or the new one, and none with other
 * permissions.
 */
export async function listenOnSocket(server: Server, path: string, mayReplace = false): Promise<() => Promise<void>> {
  await refuseOthers(path, mayReplace);
  const temporary = `${path}.${process.pid}`;
  await rm(temporary, { force: true });
  await listen(server, temporary);
  await rename(temporary, path);
  const { ino } = await lstat(path);
  return () => removeOwn(path, ino);
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Never removed: see `listenOn`.
    server.on('error', reject);
    const before = process.umask(ownerOnlyUmask);
    try {
      // It is bound before this call returns, so no other file is created meanwhile.
      server.listen(path, resolve);
    } finally {
      process.umask(before);
    }
  });
}

async function refuseOthers(path: string, mayReplace: boolean): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw inUse(path, 'is a file of another kind');
  if (!mayReplace && (await isAnswered(path))) throw inUse(path, 'belongs to a process that is running');
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    const answer = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

function inUse(path: string, why: string): Error {
  return Object.assign(new Error(`${path} ${why}`), { code: 'EADDRINUSE', syscall: 'listen', address: path });
}

/** Removes the socket, unless another process has put its own in this place. */
async function removeOwn(path: string, ino: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino === ino) await rm(path, { force: true });
}
