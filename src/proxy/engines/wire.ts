import type { ClientConnection, Engine, EngineFactory, EngineLimits, EngineParts, Exchange } from '../exchange.js';
import { Client } from './wire/client.js';
import { Deadlines } from './wire/deadlines.js';
import { Reads } from './wire/reads.js';
import { Upstreams } from './wire/upstream.js';
import { type Wire, Writes } from './wire/wire.js';

/** Limits memory in a flood of connections: any more are closed at once. */
const connectionsMax = 65_536;

export const wireEngine: EngineFactory = parts => new WireEngine(parts);

/**
 * HTTP/1.1 on plain sockets, without a library's server or client. A head is checked in one pass and forwarded as text.
 * Of a body only the framing is read. One timer serves all deadlines. Each connection has one set of listeners for its
 * whole life. A small exchange takes one read and one write per direction.
 *
 *   Client: head -> WireExchange -> dispatcher -> Attempt: head out, Upload out, answer back -> Client: next head
 */
class WireEngine implements Engine, Wire {
  readonly onExchange: (exchange: Exchange) => void;
  readonly limits: EngineLimits;
  readonly forwarded: boolean;
  readonly deadlines: Deadlines;
  readonly upstreams: Upstreams;
  readonly reads = new Reads();
  readonly writes = new Writes();
  readonly #clients = new Set<Client>();
  #retiring = false;
  #closing = false;
  #onEmpty = (): void => {};
  readonly #forget = (client: Client): void => {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#onEmpty();
  };

  constructor({ onExchange, limits, backendTls, forwarded }: EngineParts) {
    const { connectMs, responseHeadMs, idleBodyMs, clientHeadMs } = limits;
    this.onExchange = onExchange;
    this.limits = limits;
    this.forwarded = forwarded;
    this.deadlines = new Deadlines(Math.min(connectMs, responseHeadMs, idleBodyMs, clientHeadMs));
    this.upstreams = new Upstreams(this.deadlines, this.reads, connectMs, backendTls);
  }

  get connections(): number {
    return this.#clients.size;
  }

  get retiring(): boolean {
    return this.#retiring;
  }

  get closing(): boolean {
    return this.#closing;
  }

  take(connection: ClientConnection): void {
    if (this.#closing || this.#clients.size >= connectionsMax) return void connection.socket.destroy();
    this.#clients.add(new Client(this, connection, this.#forget));
  }

  retire(): void {
    this.#retiring = true;
  }

  async close(graceMs: number, keepIdle = false): Promise<void> {
    this.#retiring = true;
    this.#closing = !keepIdle;
    if (!keepIdle) for (const client of this.#clients) client.closing();
    const timer = setTimeout(() => {
      for (const client of this.#clients) client.destroy();
    }, graceMs);
    if (this.#clients.size > 0) await new Promise<void>(resolve => (this.#onEmpty = resolve));
    clearTimeout(timer);
    this.upstreams.close();
    this.deadlines.close();
  }
}
