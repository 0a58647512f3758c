import { type OnReadOpts, Socket } from 'node:net';

/*
 * The parts that all connections of an engine share: one buffer for reads, one batch of writes in each turn of the event
 * loop, and one timer for all deadlines.
 */

const bufferBytes = 64 * 1024;
/** After a read of at least this size, more large reads are expected. */
const bulkBytesMin = 16 * 1024;
/** Parts up to this size are always copied, because it costs almost nothing. */
const copiedBytesMax = 1024;

/** Called with `count` bytes at the beginning of `lent`. Returns whether it takes more. */
export type Received = (lent: Buffer, count: number) => boolean;

/** A read up to this size is tried as text first: most messages arrive whole in one read. */
export const quickBytesMax = 8 * 1024;

/** Returns the bytes as a buffer of their own length. It is still lent. */
export function firstOf(lent: Buffer, count: number): Buffer {
  return count === lent.length ? lent : lent.subarray(0, count);
}

/**
 * The buffer into which all connections of an engine read, one after the other. By default Node makes a buffer of 64
 * KiB for each read, cuts it to size, and leaves it to the garbage collector. Measured cost: a third of a small
 * exchange. The bytes are *lent* for the time of the call. To keep them, copy them; to write them on, use `write`,
 * which copies. A connection with much traffic reads into a buffer of its own, which is written on without a copy. That
 * buffer is reused once the system has taken everything.
 */
export class Reads {
  readonly #shared = Buffer.allocUnsafeSlow(bufferBytes);
  /** The buffer that is lent for the present call: none, the shared one (`all`), or a connection's own (`one`). */
  #lending: 'none' | 'all' | 'one' = 'none';
  #written = true;

  /** Returns the read options for one socket. */
  into(received: Received): OnReadOpts {
    let buffer = this.#shared;
    let count = 0;
    return {
      // Called at the beginning and after each read.
      buffer: () => {
        if (count < bulkBytesMin) buffer = this.#shared;
        else if (buffer === this.#shared || !this.#written) buffer = Buffer.allocUnsafeSlow(bufferBytes);
        return buffer;
      },
      callback: bytes => {
        count = bytes;
        this.#lending = buffer === this.#shared ? 'all' : 'one';
        this.#written = true;
        const more = received(buffer, bytes);
        this.#lending = 'none';
        return more;
      },
    };
  }

  /** Writes bytes that may be lent. Back-pressure is visible on the socket. */
  write(socket: Socket, bytes: Buffer): void {
    if (this.#lending === 'all' || bytes.length <= copiedBytesMax) socket.write(Buffer.from(bytes));
    else socket.write(bytes);
    if (this.#lending === 'one' && socket.writableLength > 0) this.#written = false;
  }
}

/** Where Node keeps the `onread` option of a socket: its buffer, the callback, and what makes the next buffer. */
interface OnReadKeys {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly next: symbol;
}

const onReadKeys = findOnReadKeys();

/** Finds the keys on a socket that is not connected. Undefined: this version of Node keeps the option elsewhere. */
function findOnReadKeys(): OnReadKeys | undefined {
  const keys = Object.getOwnPropertySymbols(new Socket());
  const find = (name: string) => keys.find(({ description }) => description === name);
  const [buffer, callback, next] = [find('kBuffer'), find('kBufferCb'), find('kBufferGen')];
  return buffer && callback && next && { buffer, callback, next };
}

/**
 * Lets an accepted connection read into our buffer. Node offers `onread` for outgoing connections (`net.connect`) but
 * not for accepted ones, with or without TLS. So this sets what that option sets, and starts reading. A second socket
 * with the option would cost more than reading and parsing a request. Returns false where it is impossible, and then
 * changes nothing: after a first read, or if a future Node keeps the option elsewhere.
 */
export function readIntoBuffer(socket: Socket, { buffer: next, callback }: OnReadOpts): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  const isKnown = onReadKeys !== undefined && takesBuffer(handle) && typeof next === 'function';
  if (!isKnown || socket.bytesRead > 0) return false;
  const buffer = next();
  Reflect.set(socket, onReadKeys.buffer, buffer);
  Reflect.set(socket, onReadKeys.callback, callback);
  Reflect.set(socket, onReadKeys.next, next);
  handle.useUserBuffer(buffer);
  socket.read(0);
  return true;
}

function takesBuffer(handle: unknown): handle is { useUserBuffer(buffer: Uint8Array): void } {
  return typeof handle === 'object' && handle !== null && 'useUserBuffer' in handle;
}

/** At this number all are sent, so that the first in a busy turn does not wait for all others. */
const heldMax = 32;

/**
 * Batches the writes of one turn of the event loop and sends them at its end. Waking a sleeping peer costs more than
 * the write. A peer that finds several messages after one wake-up does not sleep in between. Measured with 64
 * connections: saves a third of the cost of a small exchange.
 */
export class Writes {
  #held: Socket[] = [];
  #closing: Socket[] = [];
  #scheduled = false;
  readonly #endOfTurn = (): void => {
    this.#scheduled = false;
    this.#sendAll();
  };

  /** Holds writes to this socket until the end of this turn. They leave sooner on `end`, or when many are held. */
  hold(socket: Socket): void {
    socket.cork();
    if (this.#held.push(socket) === heldMax) this.#sendAll();
    else this.#schedule();
  }

  /** Closes the socket when what is held for it is sent. Both sides of the connection close at once. */
  close(socket: Socket): void {
    this.#closing.push(socket);
    this.#schedule();
  }

  /** Sends at once what is held for the socket. Destroying the socket without this would lose those writes. */
  release(socket: Socket): void {
    while (socket.writableCorked > 0) socket.uncork();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#endOfTurn);
  }

  #sendAll(): void {
    const [held, closing] = [this.#held, this.#closing];
    this.#held = [];
    if (closing.length > 0) this.#closing = [];
    for (const socket of held) socket.uncork();
    for (const socket of closing) {
      // The system sends what it has taken. `destroySoon` needs a system call and a turn more to know that.
      if (socket.writableLength === 0) socket.destroy();
      else socket.destroySoon();
    }
  }
}

/** Something with a deadline. */
export interface Timed {
  /** A time on the clock of `Deadlines`; `Infinity`: no deadline. */
  deadlineMs: number;
  /** Called when the deadline has passed, and at each later check while it remains passed. */
  late(): void;
}

/**
 * All deadlines of an engine, checked a few times a second by one timer. Setting a deadline only writes a number. A
 * timer per wait costs more than all the other bookkeeping of a request.
 */
export class Deadlines {
  readonly #timed = new Set<Timed>();
  readonly #everyMs: number;
  readonly #timer: NodeJS.Timeout;
  #nowMs = performance.now();

  /** `shortestMs`: the shortest wait in use. Deadlines are checked at least four times within it. */
  constructor(shortestMs: number) {
    this.#everyMs = Math.max(5, Math.min(250, shortestMs / 4));
    this.#timer = setInterval(() => this.#look(), this.#everyMs).unref();
  }

  /** Returns a deadline at least `ms` from now, and only slightly later. */
  in(ms: number): number {
    return this.#nowMs + this.#everyMs + ms;
  }

  add(timed: Timed): void {
    this.#timed.add(timed);
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#nowMs = performance.now();
    for (const timed of this.#timed) if (timed.deadlineMs < this.#nowMs) timed.late();
  }
}
