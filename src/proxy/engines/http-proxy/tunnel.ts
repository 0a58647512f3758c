import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { joinTunnel, type TunnelEnded } from '../../sockets/tunnel.js';

/** The client's side of a possible tunnel. */
export class Tunnel {
  readonly #client: Socket;
  readonly #early: Buffer;
  readonly #stallMs: number;
  #open = false;

  /** `early`: bytes that the client sent after its request in the same packet. `stallMs`: see `joinTunnel`. */
  constructor(client: Socket, early: Buffer, stallMs: number) {
    this.#client = client;
    this.#early = early;
    this.#stallMs = stallMs;
  }

  /**
   * Opens the tunnel. `response` holds the head of the 101 and releases the connection. `early`: bytes from the backend
   * after its head. Calls `ended` once when both sides are closed; `whole` says whether the backend closed in order.
   */
  open(response: ServerResponse, backend: Socket, early: Buffer, ended: TunnelEnded): void {
    this.#open = true;
    response.flushHeaders();
    response.detachSocket(this.#client);
    if (early.length > 0) this.#client.write(early);
    if (this.#early.length > 0) backend.write(this.#early);
    joinTunnel(this.#client, backend, this.#stallMs, ended);
  }

  /** Closes the client's side after the bytes already written; the backend's side follows. */
  end(): void {
    if (this.#open) this.#client.destroySoon();
  }
}
