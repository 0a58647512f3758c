import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Finds peers that vanished without a word: nothing else ends an idle tunnel. */
const keepAliveMs = 30_000;

/** After a 101: bytes pass both ways, each side may close its half in its own time, and both end together. */
export class Tunnel {
  readonly #client: Socket;
  readonly #early: Buffer;
  #open = false;

  /** `early`: what the client sent behind its request in the same packet. */
  constructor(client: Socket, early: Buffer) {
    this.#client = client;
    this.#early = early;
  }

  /**
   * `response` holds the head of the 101 and leaves the connection; `early` came from the backend behind its own head.
   * Tells once that both sides are closed, and whether the backend's did so in order.
   */
  open(response: ServerResponse, backend: Socket, early: Buffer, ended: (whole: boolean) => void): void {
    this.#open = true;
    response.flushHeaders();
    response.detachSocket(this.#client);
    // The agent's sockets close their half when the other does; a tunnel leaves that to its ends.
    backend.allowHalfOpen = true;
    for (const side of [backend, this.#client]) {
      side.setTimeout(0);
      side.setNoDelay(true);
      side.setKeepAlive(true, keepAliveMs);
    }
    if (early.length > 0) this.#client.write(early);
    if (this.#early.length > 0) backend.write(this.#early);
    this.#joinEnds(backend, ended);
    backend.pipe(this.#client).pipe(backend);
  }

  /** What was passed on already still arrives; the backend's side follows. */
  end(): void {
    if (this.#open) this.#client.destroySoon();
  }

  #joinEnds(backend: Socket, ended: (whole: boolean) => void): void {
    const client = this.#client;
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
  }
}
