import type { Socket } from 'node:net';

/** Finds peers that vanished silently: nothing else ends an idle tunnel. */
const keepAliveMs = 30_000;

/** `whole`: the backend closed in order. `bytesIn` came from the client, `bytesOut` went to it. */
export type TunnelEnded = (whole: boolean, bytesIn: number, bytesOut: number) => void;

/**
 * Joins both sockets after a 101: bytes pass both ways. Each side may close its half at its own time, and the tunnel
 * ends when both have. It also ends when data waits for a side that reads nothing for `stallMs`. A silent tunnel with
 * no waiting data stays open. Calls `ended` once when both sides are closed. Neither socket may have other readers.
 */
export function joinTunnel(client: Socket, backend: Socket, stallMs: number, ended: TunnelEnded): void {
  const [readBefore, writtenBefore] = [client.bytesRead, client.bytesWritten];
  const end = () => ended(whole, client.bytesRead - readBefore, client.bytesWritten - writtenBefore);
  // Other backend connections close their half when the peer does. In a tunnel each end decides for itself.
  backend.allowHalfOpen = true;
  for (const side of [backend, client]) {
    side.removeAllListeners('timeout');
    // While this side stalls, the other side is not read, so its close would go unnoticed.
    // A callback of `setTimeout` would be called for the first silence only, and that one is harmless.
    side.on('timeout', () => side.writableLength > 0 && side.destroy());
    side.setTimeout(stallMs);
    side.setNoDelay(true);
    side.setKeepAlive(true, keepAliveMs);
  }
  let whole = true;
  backend.on('error', () => {
    whole = false;
  });
  backend.on('close', () => {
    if (client.closed) end();
    else client.destroySoon();
  });
  client.on('close', () => {
    if (backend.closed) end();
    else backend.destroySoon();
  });
  backend.pipe(client).pipe(backend);
}
