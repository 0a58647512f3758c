import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ClientConnection } from '../../exchange.js';
import { joinTunnel, type TunnelEnded } from '../../sockets.js';

/** Nothing more is read while this number of requests waits on one connection. */
const requestsMax = 16;
/** Four empty lines before a request are ignored (RFC 9112 §2.2); more are malformed. */
const emptyBytesMax = 4 * 2;
const headEnd = '\r\n\r\n';
const cr = 13;
const lf = 10;

/**
 * A client's connection in front of Node's HTTP server. It hands the bytes over in pieces of a few heads, and waits while
 * requests wait for their turn. The server itself parses everything that arrives, and keeps several KiB for each request
 * of 27 bytes.
 */
export class ClientSocket {
  readonly connection: ClientConnection;
  readonly #socket: Socket;
  readonly #onEmptyLines: () => void;
  readonly #push: Socket['push'];
  readonly #read: Socket['_read'];
  /** Requests that arrived minus answers that are finished. A tunnel stays counted until it ends. */
  #underWay = 0;
  /** Bytes that wait. */
  #held: Buffer[] = [];
  #ended = false;
  #isPassing = false;
  /** Nothing but empty lines came since the connection is idle. */
  #emptyBytes = 0;
  #isEmpty = true;
  /** Bytes came that are no request yet. */
  #hasBegun = false;
  #firstByteMs: number | undefined;

  /** Call it after the server has the connection. `onEmptyLines` is called once for too many empty lines. */
  constructor(connection: ClientConnection, onEmptyLines: () => void) {
    const { socket } = connection;
    this.connection = connection;
    this.#socket = socket;
    this.#onEmptyLines = onEmptyLines;
    this.#push = socket.push;
    this.#read = socket._read;
    // Without this listener Node's parser takes the bytes from the system directly.
    socket.on('data', ignore);
    socket.push = (chunk: Buffer | null) => this.#receive(chunk);
    socket._read = size => this.#readOn(size);
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  begin(): void {
    this.#underWay += 1;
    this.#hasBegun = false;
    this.#firstByteMs = undefined;
  }

  finish(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#becomeIdle();
    this.#pass();
  }

  /** Hands over everything that waits, for a tunnel that reads from the socket itself. */
  release(): void {
    this.#socket.push = this.#push;
    this.#socket._read = this.#read;
    this.#socket.removeListener('data', ignore);
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.#socket.push(bytes);
    if (this.#ended) this.#socket.push(null);
  }

  /** Whether bytes came `headMs` ago or earlier and are still no request. Node's server does not count empty lines. */
  isLate(nowMs: number, headMs: number): boolean {
    if (!this.#hasBegun) return false;
    this.#firstByteMs ??= nowMs;
    return nowMs - this.#firstByteMs > headMs;
  }

  #becomeIdle(): void {
    this.#emptyBytes = 0;
    this.#isEmpty = true;
  }

  /** Replaces the socket's `push`: Node calls it with the bytes that it has read. */
  #receive(chunk: Buffer | null): boolean {
    if (chunk === null) this.#ended = true;
    else if (this.#hasTooManyEmptyLines(chunk)) return false;
    else this.#held.push(chunk);
    return this.#pass();
  }

  #hasTooManyEmptyLines(chunk: Buffer): boolean {
    if (this.#underWay > 0) return false;
    this.#hasBegun = true;
    if (!this.#isEmpty) return false;
    let at = 0;
    while (chunk[at] === cr || chunk[at] === lf) at += 1;
    this.#emptyBytes += at;
    if (at < chunk.length) this.#isEmpty = false;
    if (this.#emptyBytes <= emptyBytesMax) return false;
    this.#onEmptyLines();
    return true;
  }

  /** Replaces the socket's `_read`: Node calls it when the server takes more. */
  #readOn(size: number): void {
    if (this.#pass()) this.#read.call(this.#socket, size);
  }

  /** Hands over what waits, as far as the server takes it. Returns whether nothing is left. */
  #pass(): boolean {
    if (this.#isPassing) return false;
    this.#isPassing = true;
    let takesMore = true;
    while (this.#held.length > 0 && takesMore && this.#mayPass) takesMore = this.#push.call(this.#socket, this.#next());
    this.#isPassing = false;
    if (this.#held.length > 0) return false;
    if (this.#ended) this.#push.call(this.#socket, null);
    return takesMore;
  }

  get #mayPass(): boolean {
    return this.#underWay < requestsMax && this.#socket.readableLength === 0 && !this.#socket.destroyed;
  }

  #next(): Buffer {
    const bytes = this.#held.shift() ?? Buffer.alloc(0);
    const end = endOfHeads(bytes);
    if (end < bytes.length) this.#held.unshift(bytes.subarray(end));
    return bytes.subarray(0, end);
  }
}

function ignore(): void {}

/** Returns the end of the last of `requestsMax` heads, or of the bytes. */
function endOfHeads(bytes: Buffer): number {
  let end = 0;
  for (let heads = 0; heads < requestsMax; heads += 1) {
    const at = bytes.indexOf(headEnd, end);
    if (at === -1) return bytes.length;
    end = at + headEnd.length;
  }
  return end;
}

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
