import { lstat, rename, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, Server as NetServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { ownDescriptorPlan } from '../limits.js';
import type { TcpAddress } from '../options.js';
import { formatOrigin, listenOn, type OpenSocket } from '../sockets.js';

const requestMs = 10_000;
/** The time limit for the head of a request, from the accept on. */
const headMs = 5_000;
const checkEveryMs = 500;

/**
 * Creates a server for few clients that shares the file descriptors with many others. It has a small limit of
 * connections. A silent connection is closed soon.
 */
export function createSmallServer(onRequest: RequestListener): Server {
  const timeouts = { requestTimeout: requestMs, headersTimeout: headMs, connectionsCheckingInterval: checkEveryMs };
  const server = createServer(timeouts, onRequest);
  server.maxConnections = ownDescriptorPlan().admin;
  // Node listens for errors of a socket while it parses requests. This listener covers the socket from accept to close.
  server.on('connection', socket => socket.on('error', () => {}));
  return server;
}

/** The socket that the replaced process hands over. */
export interface TakenSocket {
  /** The open socket of a port. */
  readonly open?: OpenSocket | undefined;
  /** The replaced process listens on this Unix socket. */
  readonly mayReplace?: boolean;
}

export interface SmallListener {
  readonly url: string;
  readonly server: Server;
  /**
   * Stops accepting. Ends every connection `lingerMs` later (0 when absent), and each earlier one after its next answer.
   * Idempotent.
   */
  close(lingerMs?: number): Promise<void>;
}

/** Listens at a port or a Unix socket. Rejects with the system's error. */
export async function listenAt(
  server: Server,
  address: TcpAddress | { readonly path: string },
  { open, mayReplace = false }: TakenSocket = {},
): Promise<SmallListener> {
  const close = (lingerMs = 0) => closeServer(server, lingerMs);
  if ('path' in address) {
    const remove = await listenOnSocket(server, address.path, mayReplace);
    return { url: `unix:${address.path}`, server, close: lingerMs => close(lingerMs).then(remove) };
  }
  const bound = await listenOn(server, address, open);
  return { url: formatOrigin('http', bound), server, close };
}

async function closeServer(server: Server, lingerMs: number): Promise<void> {
  if (lingerMs > 0) await stopAccepting(server, lingerMs);
  await new Promise<void>(resolve => {
    // If the server is already closed, the callback still comes, with an error.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/**
 * Stops accepting, and closes each connection after its next answer: a request may be on its way to an idle one.
 * Resolves when all are closed, at most `withinMs` later.
 */
async function stopAccepting(server: Server, withinMs: number): Promise<void> {
  await acceptPending();
  server.prependListener('request', (_request, response) => (response.shouldKeepAlive = false));
  return new Promise(resolve => {
    const timer = setTimeout(resolve, withinMs);
    // The method of HTTP servers would close idle connections.
    NetServer.prototype.close.call(server, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * Resolves when the connections that the kernel holds for this process have been accepted. The successor of a Unix socket
 * does not share them: closing the old socket would reset them.
 */
async function acceptPending(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await setImmediate();
}

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
async function listenOnSocket(server: NetServer, path: string, mayReplace = false): Promise<() => Promise<void>> {
  await refuseOthers(path, mayReplace);
  const temporary = `${path}.${process.pid}`;
  await rm(temporary, { force: true });
  await listenOwnerOnly(server, temporary);
  await rename(temporary, path);
  const { ino } = await lstat(path);
  return () => removeOwnSocket(path, ino);
}

function listenOwnerOnly(server: NetServer, path: string): Promise<void> {
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
  if (!found.isSocket()) throw buildInUseError(path, 'is a file of another kind');
  if (!mayReplace && (await isAnswered(path))) throw buildInUseError(path, 'belongs to a process that is running');
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

function buildInUseError(path: string, why: string): Error {
  return Object.assign(new Error(`${path} ${why}`), { code: 'EADDRINUSE', syscall: 'listen', address: path });
}

/** Removes the socket, unless another process has put its own in this place. */
async function removeOwnSocket(path: string, ino: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino === ino) await rm(path, { force: true });
}
