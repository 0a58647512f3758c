import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { copyText } from '../../../shared/text.js';
import { type BackendTls, buildBackendTlsOptions, hostOf } from '../../sockets.js';
import { type Deadlines, firstOf, type Reads, type Received, type Timed } from './connection-io.js';

/** How long an idle connection is kept: slightly less than servers in a data centre usually keep theirs. */
const idleMs = 55_000;
/** Idle connections to one backend. Any more are closed at once. */
const idleMax = 256;
/** Idle connections to one backend that are kept for long. After a burst the others are not needed. */
const reserve = 32;
const surplusIdleMs = 5_000;
/** Subtracted from the backend's `Keep-Alive: timeout=…`, because its close and a request may cross on the way. */
const idleMarginMs = 1000;

/** Uses a connection to a backend. No method is called after `failed` or `ended`. */
export interface UpstreamUser {
  connected(): void;
  /** `count` bytes at the beginning of `lent` (see `Reads`). */
  received(lent: Buffer, count: number): void;
  /** The backend takes more data. */
  drained(): void;
  /** The backend closed its side in order. */
  ended(): void;
  failed(error: Error | undefined): void;
  /** The deadline of the connection has passed. */
  late(): void;
}

/** One connection to a backend, used by one exchange after the other. */
export class Upstream implements Timed {
  readonly socket: Socket;
  deadlineMs: number;
  /** A request that failed after this may have reached the backend. */
  established = false;
  /** It carried an earlier exchange. */
  reused = false;
  #user: UpstreamUser | undefined;
  #error: Error | undefined;
  #idleMs = idleMs;
  #released = false;
  #readsAfterFailedWrite = false;
  readonly #deadlines: Deadlines;
  readonly #onLost: (upstream: Upstream) => void;

  /** `open` makes the socket. Its bytes may be lent (see `Reads`). */
  constructor(
    open: (received: Received) => Socket,
    deadlines: Deadlines,
    connectMs: number,
    onLost: (upstream: Upstream) => void,
  ) {
    const socket = open((lent, count) => this.#received(lent, count));
    this.socket = socket;
    this.#deadlines = deadlines;
    this.#onLost = onLost;
    this.deadlineMs = deadlines.in(connectMs);
    deadlines.add(this);
    socket.on('encrypted' in socket ? 'secureConnect' : 'connect', () => this.#connected());
    socket.on('drain', () => this.#user?.drained());
    socket.on('end', () => this.#ended());
    socket.on('error', error => this.#failed(error));
    socket.on('close', () => this.#closed());
  }

  use(user: UpstreamUser): void {
    this.#user = user;
  }

  /** Marks it as idle for `mostMs`. `promisedMs`: how long the backend promises to keep it open. */
  markIdle(promisedMs: number | undefined, mostMs: number): void {
    this.#user = undefined;
    this.reused = true;
    if (promisedMs !== undefined) this.#idleMs = Math.min(idleMs, promisedMs - idleMarginMs);
    this.deadlineMs = this.#deadlines.in(Math.min(this.#idleMs, mostMs));
  }

  /** Lets an answer be read after a failed write (see the function below). Not under TLS: Node then stops reading. */
  readAfterFailedWrite(): void {
    if (!this.#readsAfterFailedWrite && !('encrypted' in this.socket)) readAfterFailedWrite(this.socket);
    this.#readsAfterFailedWrite = true;
  }

  /** Closes it without another call to the user. */
  destroy(): void {
    this.#user = undefined;
    this.socket.destroy();
  }

  /** Gives the socket to a tunnel, without listeners. */
  release(): Socket {
    this.#user = undefined;
    this.#deadlines.delete(this);
    this.#released = true;
    // Its close is no longer observed, so it must leave the list of connections now.
    this.#onLost(this);
    for (const event of ['data', 'drain', 'end', 'error', 'close']) this.socket.removeAllListeners(event);
    return this.socket;
  }

  late(): void {
    if (this.#user !== undefined) this.#user.late();
    else this.destroy();
  }

  #connected(): void {
    this.established = true;
    this.#user?.connected();
  }

  /** Handles received bytes. Unrequested bytes close the connection: they would answer the next request. */
  #received(lent: Buffer, count: number): boolean {
    // A tunnel reads from the socket itself.
    if (this.#released) return this.socket.push(Buffer.from(firstOf(lent, count)));
    if (this.#user !== undefined) this.#user.received(lent, count);
    else this.destroy();
    return true;
  }

  #ended(): void {
    if (this.#user !== undefined) this.#user.ended();
    else this.destroy();
  }

  /** Reports the error at once; otherwise an answer that ends with its connection would look complete. */
  #failed(error: Error): void {
    this.#error = error;
    this.#tell();
  }

  #closed(): void {
    this.#deadlines.delete(this);
    this.#onLost(this);
    this.#tell();
  }

  #tell(): void {
    const user = this.#user;
    this.#user = undefined;
    user?.failed(this.#error);
  }
}

/**
 * Lets an answer be read after a failed write. A backend that answers early (413, for example) and closes resets the
 * rest of the upload. Node destroys a socket at the first failed write, so the unread answer would be lost. Here a
 * failed write destroys nothing. The waiting bytes are read first; then their end, or a deadline, closes the
 * connection.
 */
function readAfterFailedWrite(socket: Socket): void {
  const { destroy, push } = socket;
  socket.destroy = error => {
    socket.destroy = destroy;
    if (!isFailedWrite(error)) return socket.destroy(error);
    // Node emits no further `end`, and an orderly end cannot be told from a reset.
    socket.push = (chunk, encoding) => (chunk === null ? !socket.destroy(error) : push.call(socket, chunk, encoding));
    return socket;
  };
}

function isFailedWrite(error: Error | undefined): boolean {
  if (error === undefined || !('syscall' in error) || !('code' in error)) return false;
  return error.syscall === 'write' && (error.code === 'EPIPE' || error.code === 'ECONNRESET');
}

/** The address of a backend, parsed once, with its idle connections. */
interface BackendAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly idle: Upstream[];
}

/** The connections to all backends. The most recently used one is reused first, so that surplus ones age and close. */
export class Upstreams {
  readonly #deadlines: Deadlines;
  readonly #connectMs: number;
  readonly #tls: BackendTls | undefined;
  readonly #reads: Reads;
  readonly #addresses = new WeakMap<URL, BackendAddress>();
  readonly #all = new Set<Upstream>();

  constructor(deadlines: Deadlines, reads: Reads, connectMs: number, tls: BackendTls | undefined) {
    this.#reads = reads;
    this.#deadlines = deadlines;
    this.#connectMs = connectMs;
    this.#tls = tls;
  }

  /**
   * Returns an idle connection, or a new one. A request that must not be repeated gets no connection whose deadline has
   * passed. Such a connection may still be open here, if this process was blocked for longer than the backend waits.
   */
  take(url: URL, mayRepeat: boolean): Upstream {
    const { idle } = this.#address(url);
    let upstream = idle.pop();
    while (!mayRepeat && upstream !== undefined && upstream.deadlineMs < performance.now()) {
      upstream.destroy();
      upstream = idle.pop();
    }
    return upstream ?? this.dial(url);
  }

  /** Opens a new connection, which is not established yet. */
  dial(url: URL): Upstream {
    const address = this.#address(url);
    const open = address.tls ? this.#connectTls : this.#connect;
    const upstream = new Upstream(
      received => open(address, received),
      this.#deadlines,
      this.#connectMs,
      lost => {
        this.#all.delete(lost);
        const at = address.idle.indexOf(lost);
        if (at !== -1) address.idle.splice(at, 1);
      },
    );
    this.#all.add(upstream);
    return upstream;
  }

  /** Returns a connection to the pool for the next exchange, or closes it if enough are idle. */
  putBack(url: URL, upstream: Upstream, keepAlive: string | undefined): void {
    if (upstream.socket.destroyed) return;
    const { idle } = this.#address(url);
    if (idle.length >= idleMax) return void upstream.destroy();
    upstream.markIdle(parsePromisedMs(keepAlive), idle.length < reserve ? idleMs : surplusIdleMs);
    idle.push(upstream);
  }

  close(): void {
    for (const upstream of this.#all) upstream.destroy();
  }

  readonly #connect = ({ host, port }: BackendAddress, received: Received): Socket =>
    connect({ host, port, noDelay: true, onread: this.#reads.into(received) });

  readonly #connectTls = ({ host, port }: BackendAddress, received: Received): Socket => {
    const socket = connectTls({ host, port, ...buildBackendTlsOptions(host, this.#tls) });
    return socket.setNoDelay(true).on('data', bytes => received(bytes, bytes.length));
  };

  #address(url: URL): BackendAddress {
    const known = this.#addresses.get(url);
    if (known !== undefined) return known;
    const tls = url.protocol === 'https:';
    const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
    const address: BackendAddress = { tls, host: hostOf(url), port, idle: [] };
    this.#addresses.set(url, address);
    return address;
  }
}

/** Cache: a backend usually promises the same time again. */
const lastPromise = { text: '', ms: 0 };

/** Parses how long a backend promises to keep an idle connection, from its Keep-Alive field. */
function parsePromisedMs(keepAlive: string | undefined): number | undefined {
  if (keepAlive === undefined) return undefined;
  if (keepAlive === lastPromise.text) return lastPromise.ms;
  const [, seconds] = /(?:^|[\s,])timeout=(\d{1,6})/i.exec(keepAlive) ?? [];
  if (seconds === undefined) return undefined;
  Object.assign(lastPromise, { text: copyText(keepAlive), ms: Number(seconds) * 1000 });
  return lastPromise.ms;
}
