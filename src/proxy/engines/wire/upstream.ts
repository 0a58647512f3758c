import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type BackendTls, backendTlsOptions, hostOf } from '../../backend-tls.js';
import type { Deadlines, Timed } from './deadlines.js';
import { detached } from './grammar.js';
import { firstOf, type Reads, type Received } from './reads.js';

/** An idle connection is kept this long: a little less than the peers of a data centre usually keep theirs. */
const idleMs = 55_000;
/** Left of what the backend promises in `Keep-Alive: timeout=…`: its word and a request may pass each other. */
const idleMarginMs = 1000;

/** Who uses a connection to a backend. Nothing is told after `failed` or `ended`. */
export interface UpstreamUser {
  connected(): void;
  /** `count` bytes at the beginning of `lent` (see `Reads`). */
  received(lent: Buffer, count: number): void;
  /** The backend takes more. */
  drained(): void;
  /** The backend has sent everything, in order. */
  ended(): void;
  failed(error: Error | undefined): void;
  /** The deadline of the connection has passed. */
  late(): void;
}

/** One connection to a backend: from hand to hand, as long as it lives. */
export class Upstream implements Timed {
  readonly socket: Socket;
  deadlineMs: number;
  /** Whatever failed after this may have reached the backend. */
  established = false;
  /** It carried an exchange before. */
  reused = false;
  #user: UpstreamUser | undefined;
  #error: Error | undefined;
  #idleMs = idleMs;
  #released = false;
  #hearsOut = false;
  readonly #deadlines: Deadlines;
  readonly #onLost: (upstream: Upstream) => void;

  /** `open` makes the socket; what it reads may be lent (see `Reads`). */
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

  /** It is idle from here on. `promisedMs`: how long the backend says that it keeps it. */
  rest(promisedMs: number | undefined): void {
    this.#user = undefined;
    this.reused = true;
    if (promisedMs !== undefined) this.#idleMs = Math.min(idleMs, promisedMs - idleMarginMs);
    this.deadlineMs = this.#deadlines.in(this.#idleMs);
  }

  /** From here on a write that fails ends nothing by itself (see `hearOut`). Under TLS it does: Node reads no more then. */
  hearOut(): void {
    if (!this.#hearsOut && !('encrypted' in this.socket)) hearOut(this.socket);
    this.#hearsOut = true;
  }

  /** Nobody is told any more. */
  destroy(): void {
    this.#user = undefined;
    this.socket.destroy();
  }

  /** For a tunnel: the socket alone is left, without anybody who listens to it. */
  release(): Socket {
    this.#user = undefined;
    this.#deadlines.delete(this);
    this.#released = true;
    // Nobody hears of its end any more: whoever counts it among the connections would do so for ever.
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

  /** A backend that speaks without being asked is not listened to: it would answer somebody else. */
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

  /** Told at once: an answer that ends with its connection would be called whole otherwise. */
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
 * Whoever answers early (413, say) and closes, resets what is still being sent to him. Node ends a connection at the
 * first write that fails, and the answer that lies there to be read would be lost. So that write ends nothing: what is
 * there is read first, and its end, or a deadline, ends the connection.
 */
function hearOut(socket: Socket): void {
  const { destroy, push } = socket;
  socket.destroy = error => {
    socket.destroy = destroy;
    if (!isFailedWrite(error)) return socket.destroy(error);
    // Node tells of no end any more; and whether it was in order nobody can say.
    socket.push = (chunk, encoding) => (chunk === null ? !socket.destroy(error) : push.call(socket, chunk, encoding));
    return socket;
  };
}

function isFailedWrite(error: Error | undefined): boolean {
  if (error === undefined || !('syscall' in error) || !('code' in error)) return false;
  return error.syscall === 'write' && (error.code === 'EPIPE' || error.code === 'ECONNRESET');
}

/** Where a backend is, taken apart once. */
interface Place {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly idle: Upstream[];
}

/** The connections to all backends. The one that was used last is used next: the others may grow old and be closed. */
export class Upstreams {
  readonly #deadlines: Deadlines;
  readonly #connectMs: number;
  readonly #tls: BackendTls | undefined;
  readonly #reads: Reads;
  readonly #places = new WeakMap<URL, Place>();
  readonly #all = new Set<Upstream>();

  constructor(deadlines: Deadlines, reads: Reads, connectMs: number, tls: BackendTls | undefined) {
    this.#reads = reads;
    this.#deadlines = deadlines;
    this.#connectMs = connectMs;
    this.#tls = tls;
  }

  /**
   * An idle connection, or a new one. What must not be carried out twice is not risked on one whose time has passed, which
   * nobody has seen yet: this process may have been held up for longer than the backend waits.
   */
  take(url: URL, mayRepeat: boolean): Upstream {
    const { idle } = this.#place(url);
    let upstream = idle.pop();
    while (!mayRepeat && upstream !== undefined && upstream.deadlineMs < performance.now()) {
      upstream.destroy();
      upstream = idle.pop();
    }
    return upstream ?? this.dial(url);
  }

  /** A new connection, which is not there yet. */
  dial(url: URL): Upstream {
    const place = this.#place(url);
    const open = place.tls ? this.#connectTls : this.#connect;
    const upstream = new Upstream(
      received => open(place, received),
      this.#deadlines,
      this.#connectMs,
      lost => {
        this.#all.delete(lost);
        const at = place.idle.indexOf(lost);
        if (at !== -1) place.idle.splice(at, 1);
      },
    );
    this.#all.add(upstream);
    return upstream;
  }

  /** It may carry the next exchange. */
  give(url: URL, upstream: Upstream, keepAlive: string | undefined): void {
    if (upstream.socket.destroyed) return;
    upstream.rest(promisedMs(keepAlive));
    this.#place(url).idle.push(upstream);
  }

  close(): void {
    for (const upstream of this.#all) upstream.destroy();
  }

  readonly #connect = ({ host, port }: Place, received: Received): Socket =>
    connect({ host, port, noDelay: true, onread: this.#reads.into(received) });

  readonly #connectTls = ({ host, port }: Place, received: Received): Socket => {
    const socket = connectTls({ host, port, ...backendTlsOptions(host, this.#tls) });
    return socket.setNoDelay(true).on('data', bytes => received(bytes, bytes.length));
  };

  #place(url: URL): Place {
    const known = this.#places.get(url);
    if (known !== undefined) return known;
    const tls = url.protocol === 'https:';
    const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
    const place: Place = { tls, host: hostOf(url), port, idle: [] };
    this.#places.set(url, place);
    return place;
  }
}

/** One backend promises the same again and again. */
const lastPromise = { text: '', ms: 0 };

/** How long a backend says that it keeps an idle connection, in its Keep-Alive field. */
function promisedMs(keepAlive: string | undefined): number | undefined {
  if (keepAlive === undefined) return undefined;
  if (keepAlive === lastPromise.text) return lastPromise.ms;
  const [, seconds] = /(?:^|[\s,])timeout=(\d{1,6})/i.exec(keepAlive) ?? [];
  if (seconds === undefined) return undefined;
  Object.assign(lastPromise, { text: detached(keepAlive), ms: Number(seconds) * 1000 });
  return lastPromise.ms;
}
