import type { Server } from 'node:http';
import { Server as TcpServer } from 'node:net';

/** How long a connection that a proxy keeps for later may lie idle before it is closed. */
const idleMs = 500;
/** How long an answer in flight may take. */
const inFlightMs = 10_000;

/**
 * Refuses new connections at once and resolves when the last one is closed.
 *
 * Idle connections stay open for a moment, which is why this is not `server.close()`: that closes them at once, and a
 * proxy that has just sent a POST on one of them cannot know whether it was carried out. Until then a request on such a
 * connection is answered with `connection: close`; afterwards the proxy's health check has told it to stay away.
 */
export async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>(resolve => TcpServer.prototype.close.call(server, () => resolve()));
  const idle = setTimeout(() => server.closeIdleConnections(), idleMs);
  const late = setTimeout(() => server.closeAllConnections(), inFlightMs);
  await closed;
  clearTimeout(idle);
  clearTimeout(late);
}
