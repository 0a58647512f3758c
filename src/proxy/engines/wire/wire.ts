import type { Socket } from 'node:net';
import type { EngineLimits, Exchange } from '../../exchange.js';
import type { Deadlines } from './deadlines.js';
import type { Reads } from './reads.js';
import type { Upstreams } from './upstream.js';

/** What the connections of one engine share. */
export interface Wire {
  readonly onExchange: (exchange: Exchange) => void;
  readonly limits: EngineLimits;
  /** Backends are told the way in a `Forwarded` field too. */
  readonly forwarded: boolean;
  readonly deadlines: Deadlines;
  readonly upstreams: Upstreams;
  readonly reads: Reads;
  readonly writes: Writes;
  /** Clients are told to come back on a new connection. */
  readonly closing: boolean;
}

/** After so many all leave: whoever comes first in a busy turn must not wait for all the others. */
const heldMax = 32;

/**
 * What is written in one turn of the event loop leaves together, at its end. Each write to somebody who sleeps wakes him,
 * and the system's work for that is dearer than the write; who is woken for one message and finds more does not sleep
 * in between. Measured with 64 connections: a third of what a small exchange costs.
 */
export class Writes {
  #held: Socket[] = [];
  #scheduled = false;
  readonly #endOfTurn = (): void => {
    this.#scheduled = false;
    this.#sendAll();
  };

  /** What is written to it from here on leaves at the end of this turn, or sooner: with `end`, or when many are held. */
  hold(socket: Socket): void {
    socket.cork();
    if (this.#held.push(socket) === heldMax) this.#sendAll();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#endOfTurn);
    }
  }

  /** All that it holds leaves now, whoever has it held: who is destroyed would lose it. */
  release(socket: Socket): void {
    while (socket.writableCorked > 0) socket.uncork();
  }

  #sendAll(): void {
    const held = this.#held;
    this.#held = [];
    for (const socket of held) socket.uncork();
  }
}
