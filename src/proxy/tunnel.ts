import type { Socket } from 'node:net';

/** Finds peers that vanished without a word: nothing else ends an idle tunnel. */
const keepAliveMs = 30_000;

/**
 * After a 101: bytes pass both ways, each side may close its half in its own time, and both end together. So they do
 * when one of them takes nothing of what waits for it for `stallMs`; as long as nothing waits, they may be silent. Tells
 * once that both sides are closed, and whether the backend's did so in order. Neither socket may have other readers.
 */
export function joinTunnel(client: Socket, backend: Socket, stallMs: number, ended: (whole: boolean) => void): void {
  // Elsewhere a connection to a backend closes its half when the other does; a tunnel leaves that to its ends.
  backend.allowHalfOpen = true;
  for (const side of [backend, client]) {
    side.removeAllListeners('timeout');
    // Nobody reads from the other side meanwhile, so that its end would be noticed by nobody.
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
