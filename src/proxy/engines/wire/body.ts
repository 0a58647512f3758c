import { Chunks } from './chunks.js';

/** Tracks how many bytes of a connection belong to the body of one message (RFC 9112 §6.3). */
export interface WireBody {
  readonly done: boolean;
  /** It was longer than allowed, so `read` returned -1. */
  readonly tooLong?: boolean;
  /**
   * Reads from `at` on and adds the bytes to forward to `out`. Returns where the body or the bytes end, or -1 for
   * malformed bytes.
   */
  read(bytes: Buffer, at: number, out: Buffer[]): number;
}

export const noBody: WireBody = { done: true, read: (_, at) => at };

class Counted implements WireBody {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  read(bytes: Buffer, at: number, out: Buffer[]): number {
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    if (to > at) out.push(at === 0 && to === bytes.length ? bytes : bytes.subarray(at, to));
    return to;
  }
}

/** A body that ends with its connection. The client gets it in chunks, or as it is. */
class UntilClose implements WireBody {
  readonly done = false;
  readonly #chunked: boolean;

  constructor(chunked: boolean) {
    this.#chunked = chunked;
  }

  read(bytes: Buffer, at: number, out: Buffer[]): number {
    const data = bytes.subarray(at);
    if (data.length === 0) return bytes.length;
    if (this.#chunked) out.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, lineEnd);
    else out.push(data);
    return bytes.length;
  }
}

const lineEnd = Buffer.from('\r\n');

/** `bytesMax`: the longest chunked body; 0: no limit. */
export function makeRequestBody(
  { chunked, length }: { readonly chunked: boolean; readonly length: number },
  bytesMax = 0,
): WireBody {
  if (chunked) return new Chunks(false, bytesMax);
  return length > 0 ? new Counted(length) : noBody;
}

/** `how`: how the client learns where the body ends. */
export function makeAnswerBody(
  { chunked, length }: { readonly chunked: boolean; readonly length: number },
  how: 'chunks' | 'closing',
): WireBody {
  if (chunked) return new Chunks(how === 'closing');
  if (length === 0) return noBody;
  return length > 0 ? new Counted(length) : new UntilClose(how === 'chunks');
}
