import type { Socket } from 'node:net';

/** Finds peers that vanished silently: nothing else ends an idle tunnel. */
const keepAliveMs = 30_000;

/**
 * Joins both sockets after a 101: bytes pass both ways. Each side may close its half at its own time, and the tunnel
 * ends when both have. It also ends when data waits for a side that reads nothing for `stallMs`. A silent tunnel with
 * no waiting data stays open. Calls `ended` once when both sides are closed; `whole` says whether the backend closed in
 * order. Neither socket may have other readers.
 */
export function joinTunnel(client: Socket, backend: Socket, stallMs: number, ended: (whole: boolean) => void): void {
  // Other backend connections close their half when the peer does. In a tunnel each end decides for itself.
  backend.allowHalfOpen = true;
  for (const side of [backend, client]) {
    side.removeAllListeners('timeout');
    // While this side stalls, the other side is not read, so its close would go unnoticed.
    side.setTimeout(stallMs, () => side.writableLength > 0 && side.destroy());
    side.setNoDelay(true);
    side.setKeepAlive(true, keepAliveMs);
  }
  let whole = true;
  backend.on('error', () => {
    whole = false;
  });
  backend.on('close', () => {
    if (client.closed) ended(whole);
    else client.destroySoon();
  });
  client.on('close', () => {
    if (backend.closed) ended(whole);
    else backend.destroySoon();
  });
  backend.pipe(client).pipe(backend);
}
