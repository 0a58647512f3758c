import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Closes a connection so that its peer cannot take what it has got for everything: where an answer ends with its
 * connection (HTTP/1.0), an orderly close would say so. Below TLS a reset tells; above it, that no `close_notify` came
 * (RFC 9112 §9.8), and Node resets nothing but plain sockets.
 */
export function closeAbruptly(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
