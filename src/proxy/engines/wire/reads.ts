import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

const bufferBytes = 64 * 1024;
/** From a read of this size on, more of the same kind is expected. */
const bulkBytesMin = 16 * 1024;
/** What is written in parts this small is copied even if it need not be: it is no work. */
const copiedBytesMax = 1024;

/** Told of `count` bytes at the beginning of `lent`; answers with whether it takes more. */
export type Received = (lent: Buffer, count: number) => boolean;

/** A read up to this size is looked at as text first: most messages are whole in one. */
export const quickBytesMax = 8 * 1024;

/** As a buffer of its own length; still lent. */
export function firstOf(lent: Buffer, count: number): Buffer {
  return count === lent.length ? lent : lent.subarray(0, count);
}

/**
 * The buffer into which all connections of an engine read, one after the other. By itself Node makes a buffer of 64 KiB
 * for each read, cuts it to size, and leaves it to the garbage collector: measured, a third of what a small exchange
 * costs. What is read is *lent* for the time of the call: whoever keeps it copies it, and whoever writes it on does so
 * by `write`, which copies. A connection through which much is passing reads into a buffer of its own, from which it is
 * written on as it is; that buffer is read into again once the system has taken everything.
 */
export class Reads {
  readonly #shared = Buffer.allocUnsafeSlow(bufferBytes);
  /** Whose buffer was lent for the call that is being made. */
  #lending: 'nobody' | 'all' | 'one' = 'nobody';
  #written = true;

  /** For one socket. */
  into(received: Received): OnReadOpts {
    let buffer = this.#shared;
    let count = 0;
    return {
      // Asked for at the beginning and after each read.
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
        this.#lending = 'nobody';
        return more;
      },
    };
  }

  /** Writes bytes that may be lent. Whether the socket takes more it knows itself. */
  write(socket: Socket, bytes: Buffer): void {
    if (this.#lending === 'all' || bytes.length <= copiedBytesMax) socket.write(Buffer.from(bytes));
    else socket.write(bytes);
    if (this.#lending === 'one' && socket.writableLength > 0) this.#written = false;
  }
}

/**
 * The same connection in a socket that reads into a buffer of ours. Node offers that for connections that are made
 * (`net.connect`) but not for those that are accepted, so the handle of the connection is moved to a socket that is made
 * for it; the one that the server made is left empty. Undefined where that cannot be done: under TLS, when something was
 * read already, or when Node keeps its handles elsewhere one day; the connection then stays as it is.
 */
export function readingInto(socket: Socket, onread: OnReadOpts): Socket | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const plain = Object.getPrototypeOf(socket) === Socket.prototype && socket.bytesRead === 0;
  if (!plain || typeof handle !== 'object' || handle === null) return undefined;
  Reflect.set(socket, '_handle', null);
  socket.destroy();
  const options: SocketConstructorOpts & { readonly handle: unknown; readonly onread: OnReadOpts } = {
    handle,
    allowHalfOpen: true,
    onread,
  };
  return new Socket(options);
}
