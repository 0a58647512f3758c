/**
 * The cheapest possible proxy in Node. It uses sockets, finds the end of each head, counts the body, and keeps a pool
 * of idle backend connections. It batches writes as the wire engine does. It has no policy, no checks and no edits, and
 * trusts both sides. What an engine costs above this is the cost of its work.
 */
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { Writes } from '#src/proxy/engines/wire/connection-io.js';
import { backendPorts, listenPort, tls, turns } from './bare-place.js';

const headEnd = '\r\n\r\n';
const contentLength = /\r\ncontent-length: *(\d+)/i;
const closes = /\r\nconnection: *close/i;

/** Finds the end of a message in one direction of a connection. */
class Framing {
  /** The number of bytes of the body still to come; -1 between two messages. */
  left = -1;
  closing = false;

  /** Whether this chunk completes the message. A head split into two pieces is not supported. */
  ends(chunk: Buffer): boolean {
    if (this.left === -1) this.left = this.#lengthOf(chunk);
    else this.left -= chunk.length;
    if (this.left > 0) return false;
    this.left = -1;
    return true;
  }

  #lengthOf(chunk: Buffer): number {
    const end = chunk.indexOf(headEnd);
    if (end === -1) throw new Error('a head in two pieces');
    const head = chunk.toString('latin1', 0, end);
    this.closing = closes.test(head);
    return Number(contentLength.exec(head)?.[1] ?? 0) - (chunk.length - end - headEnd.length);
  }
}

class Upstream {
  readonly socket: Socket;
  readonly #framing = new Framing();
  readonly #idle: Upstream[];
  client: Socket | undefined;

  constructor(port: number, idle: Upstream[]) {
    this.#idle = idle;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', chunk => this.#answer(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.#gone());
  }

  #answer(chunk: Buffer): void {
    const { client } = this;
    if (client === undefined) return;
    writes.hold(client);
    const slow = !client.write(chunk);
    if (!this.#framing.ends(chunk)) {
      // A client that leaves never drains; its `close` event destroys this connection.
      if (slow) this.#waitFor(client);
      return;
    }
    this.client = undefined;
    if (this.#framing.closing) client.end();
    else this.#idle.push(this);
  }

  #waitFor(client: Socket): void {
    this.socket.pause();
    client.once('drain', () => this.socket.resume());
  }

  #gone(): void {
    const at = this.#idle.indexOf(this);
    if (at !== -1) this.#idle.splice(at, 1);
    this.client?.destroy();
  }
}

const writes = new Writes();
const next = turns(backendPorts.map(port => ({ port, idle: [] as Upstream[] })));

function relay(client: Socket): void {
  const framing = new Framing();
  let upstream: Upstream | undefined;
  client.on('error', () => {});
  client.on('close', () => upstream?.client === client && upstream.socket.destroy());
  client.on('data', (chunk: Buffer) => {
    if (framing.left === -1) {
      const { port, idle } = next();
      upstream = idle.pop() ?? new Upstream(port, idle);
      upstream.client = client;
    }
    if (upstream !== undefined) writes.hold(upstream.socket);
    upstream?.socket.write(chunk);
    framing.ends(chunk);
  });
}

const options = { noDelay: true };
const server = tls === undefined ? createServer(options, relay) : createSecureServer({ ...tls, ...options }, relay);
server.listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
