import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { joinTunnel } from '../../tunnel.js';

/** The client's side of a tunnel that may come to be. */
export class Tunnel {
  readonly #client: Socket;
  readonly #early: Buffer;
  readonly #stallMs: number;
  #open = false;

  /** `early`: what the client sent behind its request in the same packet. `stallMs`: see `joinTunnel`. */
  constructor(client: Socket, early: Buffer, stallMs: number) {
    this.#client = client;
    this.#early = early;
    this.#stallMs = stallMs;
  }

  /**
   * `response` holds the head of the 101 and leaves the connection; `early` came from the backend behind its own head.
   * Tells once that both sides are closed, and whether the backend's did so in order.
   */
  open(response: ServerResponse, backend: Socket, early: Buffer, ended: (whole: boolean) => void): void {
    this.#open = true;
    response.flushHeaders();
    response.detachSocket(this.#client);
    if (early.length > 0) this.#client.write(early);
    if (this.#early.length > 0) backend.write(this.#early);
    joinTunnel(this.#client, backend, this.#stallMs, ended);
  }

  /** What was passed on already still arrives; the backend's side follows. */
  end(): void {
    if (this.#open) this.#client.destroySoon();
  }
}
