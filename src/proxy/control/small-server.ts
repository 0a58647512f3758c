import { createServer, type RequestListener, type Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { ownDescriptorPlan } from '../front/open-files.js';
import type { TcpAddress } from '../options.js';
import { formatOrigin, listenOn, type OpenSocket } from '../sockets/listen.js';
import { listenOnSocket } from './unix-socket.js';

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

/**
 * Resolves when the connections that the kernel holds for this process have been accepted. The successor of a Unix socket
 * does not share them: closing the old socket would reset them.
 */
async function acceptPending(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await setImmediate();
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
