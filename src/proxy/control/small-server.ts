import { createServer, type RequestListener, type Server } from 'node:http';
import { ownDescriptorPlan } from '../front/open-files.js';
import type { TcpAddress } from '../options.js';
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

/**
 * Listens at a port or a Unix socket. Rejects with the system's error. `close` ends every connection at once and is
 * idempotent.
 */
export async function listenAt(
  server: Server,
  address: TcpAddress | { readonly path: string },
): Promise<{ readonly url: string; close(): Promise<void> }> {
  if ('path' in address) {
    const remove = await listenOnSocket(server, address.path);
    return { url: `unix:${address.path}`, close: () => closeServer(server).then(remove) };
  }
  const { host } = address;
  const port = await listenOnPort(server, address);
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, close: () => closeServer(server) };
}

function listenOnPort(server: Server, { host, port }: TcpAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    // Never removed: a failed accept (too few file descriptors) also emits `error`, and would end the process.
    server.on('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? port : address.port);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    // If the server is already closed, the callback still comes, with an error.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
