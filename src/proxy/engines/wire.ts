import type { ClientConnection, Engine, EngineFactory, EngineLimits, EngineParts, Exchange } from '../exchange.js';
import type { IsTrusted } from '../headers/trusted-peers.js';
import { Client } from './wire/client.js';
import { Deadlines } from './wire/deadlines.js';
import { Reads } from './wire/reads.js';
import { Upstreams } from './wire/upstream.js';
import { type Wire, Writes } from './wire/wire.js';

/** Limits memory in a flood of connections: any more are closed at once. */
const connectionsMax = 65_536;
const tooManyConnections = { status: undefined, cause: 'connection-limit', text: 'Too many connections.' } as const;

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
  readonly onEngineAnswer: EngineParts['onEngineAnswer'];
  readonly limits: EngineLimits;
  readonly forwarded: boolean;
  readonly isTrusted: IsTrusted | undefined;
  readonly deadlines: Deadlines;
  readonly upstreams: Upstreams;
  readonly reads = new Reads();
  readonly writes = new Writes();
  readonly #clients = new Set<Client>();
  #closing = false;
  #onEmpty = (): void => {};
  readonly #forget = (client: Client): void => {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#onEmpty();
  };

  constructor({ onExchange, onEngineAnswer, limits, backendTls, forwarded, isTrusted }: EngineParts) {
    const { connectMs, responseHeadMs, idleBodyMs, clientHeadMs } = limits;
    this.onExchange = onExchange;
    this.onEngineAnswer = onEngineAnswer;
    this.limits = limits;
    this.forwarded = forwarded;
    this.isTrusted = isTrusted;
    this.deadlines = new Deadlines(Math.min(connectMs, responseHeadMs, idleBodyMs, clientHeadMs));
    this.upstreams = new Upstreams(this.deadlines, this.reads, connectMs, backendTls);
  }

  get connections(): number {
    return this.#clients.size;
  }

  get closing(): boolean {
    return this.#closing;
  }

  take(connection: ClientConnection): void {
    if (this.#closing) return void connection.socket.destroy();
    if (this.#clients.size >= connectionsMax) return void this.#turnAway(connection);
    this.#clients.add(new Client(this, connection, this.#forget));
  }

  #turnAway({ socket, clientAddress, secure }: ClientConnection): void {
    socket.destroy();
    const unread = { method: undefined, path: undefined, inExchange: false };
    this.onEngineAnswer?.({ ...tooManyConnections, clientAddress, secure, ...unread });
  }

  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    for (const client of this.#clients) client.closing();
    const timer = setTimeout(() => {
      for (const client of this.#clients) client.destroy();
    }, graceMs);
    if (this.#clients.size > 0) await new Promise<void>(resolve => (this.#onEmpty = resolve));
    clearTimeout(timer);
    this.upstreams.close();
    this.deadlines.close();
  }
}
