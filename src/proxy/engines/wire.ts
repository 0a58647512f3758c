import type {
  ClientConnection,
  Engine,
  EngineFactory,
  EngineLimits,
  EngineParts,
  Exchange,
  Http2Refusal,
} from '../exchange.js';
import type { IsTrusted } from '../headers.js';
import { Client } from './wire/client.js';
import { Deadlines, Reads, Writes } from './wire/connection-io.js';
import { Upstreams } from './wire/upstream.js';
import type { Wire } from './wire/wire.js';

/** A client connection of either protocol. */
interface ServedConnection {
  /** Called when the engine begins to drain its connections. HTTP/1.1 does that with each later answer. */
  onDraining?(): void;
  /** Called when the engine closes: the connection ends as soon as its requests are answered. */
  closing(): void;
  destroy(): void;
}

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
  readonly onHttp2Refused: (reason: Http2Refusal) => void;
  readonly #clients = new Set<ServedConnection>();
  #draining = false;
  #closing = false;
  #onEmpty = (): void => {};
  readonly #forget = (client: ServedConnection): void => {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#onEmpty();
  };

  constructor(parts: EngineParts) {
    const { onExchange, onEngineAnswer, limits, backendTls, forwarded, isTrusted, onHttp2Refused = () => {} } = parts;
    const { connectMs, responseHeadMs, idleBodyMs, clientHeadMs } = limits;
    this.onExchange = onExchange;
    this.onEngineAnswer = onEngineAnswer;
    this.limits = limits;
    this.forwarded = forwarded;
    this.onHttp2Refused = onHttp2Refused;
    this.isTrusted = isTrusted;
    this.deadlines = new Deadlines(Math.min(connectMs, responseHeadMs, idleBodyMs, clientHeadMs));
    this.upstreams = new Upstreams(this.deadlines, this.reads, connectMs, backendTls);
  }

  get connections(): number {
    return this.#clients.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get closing(): boolean {
    return this.#closing;
  }

  take(connection: ClientConnection): void {
    if (this.#closing) return void connection.socket.destroy();
    if (connection.protocol === 'h2') void this.#takeHttp2(connection);
    else this.#clients.add(new Client(this, connection, this.#forget));
  }

  /** Loads HTTP/2 with its first connection: it takes 4 MB and some milliseconds. */
  async #takeHttp2(connection: ClientConnection): Promise<void> {
    const end = () => void connection.socket.destroy();
    const waiting: ServedConnection = { closing: end, destroy: end };
    this.#clients.add(waiting);
    const { Http2Connection } = await import('./wire/h2/session.js');
    const isOpen = !connection.socket.destroyed && !this.#closing;
    if (isOpen) this.#clients.add(new Http2Connection(this, connection, this.#forget));
    else connection.socket.destroy();
    this.#forget(waiting);
  }

  drainConnections(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const client of this.#clients) client.onDraining?.();
  }

  async close(graceMs: number, keepIdle = false): Promise<void> {
    this.drainConnections();
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
