import { forbiddenInTrailers } from '../../headers/hop-by-hop.js';
import { extensionShape, trailerShape } from './grammar.js';

const cr = 13;
const lf = 10;
/** The largest chunk. A reader that counts in 32 bits would read a larger size as another number. */
const chunkBytesMax = 2 ** 31 - 1;
/** With leading zeros. */
const digitsMax = 12;
/** Limit for the extensions and trailers of one body together. */
const extraBytesMax = 16 * 1024;

type State = 'size' | 'extension' | 'size end' | 'data' | 'data cr' | 'data lf' | 'trailer' | 'done';

/**
 * Reads a chunked body (RFC 9112 §7.1) as it arrives, split anywhere. The bytes are forwarded unchanged, with two
 * exceptions. Extensions are removed: they are hop-by-hop, and their only real use is to make two readers disagree.
 * With `plain` only the data is forwarded, without chunks.
 */
export class Chunks {
  readonly #plain: boolean;
  #state: State = 'size';
  #digits = 0;
  #size = 0;
  #extension = '';
  #extraBytes = 0;
  #trailer = '';
  #bytesLeft: number;

  /** `bytesMax`: the longest body, without its framing; 0: no limit. */
  constructor(plain: boolean, bytesMax = 0) {
    this.#plain = plain;
    this.#bytesLeft = bytesMax === 0 ? Number.POSITIVE_INFINITY : bytesMax;
  }

  get tooLong(): boolean {
    return this.#bytesLeft < 0;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /**
   * Reads from `at` on and adds the bytes to forward to `out`. Returns where the body or the bytes end. Returns -1 for
   * malformed bytes; then nothing of this call may be forwarded.
   */
  read(bytes: Buffer, at: number, out: Buffer[]): number {
    // Start of the bytes to forward; -1 while reading bytes that are not forwarded.
    let from = this.#state === 'extension' || this.#trailer !== '' ? -1 : at;
    let next = at;
    while (next < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        next = this.#readData(bytes, next, out);
        continue;
      }
      if (this.#state === 'trailer') {
        if (this.#trailer === '' && bytes[next] === cr && bytes[next + 1] === lf) {
          this.#state = 'done';
          next += 2;
          continue;
        }
        if (from !== -1) this.#pass(bytes, from, next, out);
        from = -1;
        next = this.#readTrailer(bytes, next, out);
        if (next === -1) return -1;
        continue;
      }
      const before = this.#state;
      if (!this.#readFraming(bytes[next] ?? 0)) return -1;
      if (this.#state === 'extension' && from !== -1) {
        this.#pass(bytes, from, next, out);
        from = -1;
      } else if (before === 'extension' && this.#state === 'size end') from = next;
      next += 1;
    }
    if (from !== -1) this.#pass(bytes, from, next, out);
    return next;
  }

  #pass(bytes: Buffer, from: number, to: number, out: Buffer[]): void {
    if (!this.#plain && to > from) out.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  #readData(bytes: Buffer, at: number, out: Buffer[]): number {
    const to = Math.min(bytes.length, at + this.#size);
    if (this.#plain) out.push(bytes.subarray(at, to));
    this.#size -= to - at;
    if (this.#size === 0) this.#state = 'data cr';
    return to;
  }

  /** Reads one byte of the framing around the data; false when it is not allowed there. */
  #readFraming(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#readSize(byte);
      case 'extension':
        return this.#readExtension(byte);
      case 'size end':
        this.#state = this.#size === 0 ? 'trailer' : 'data';
        this.#digits = 0;
        this.#bytesLeft -= this.#size;
        return byte === lf && this.#bytesLeft >= 0;
      case 'data cr':
        this.#state = 'data lf';
        return byte === cr;
      default:
        this.#state = 'size';
        return byte === lf;
    }
  }

  #readSize(byte: number): boolean {
    const digit = parseHexDigit(byte);
    if (digit !== -1) {
      this.#digits += 1;
      this.#size = this.#size * 16 + digit;
      return this.#digits <= digitsMax && this.#size <= chunkBytesMax;
    }
    if (this.#digits === 0) return false;
    if (byte === cr) this.#state = 'size end';
    else if (byte !== 59) return false;
    else {
      this.#state = 'extension';
      this.#extension = ';';
    }
    return true;
  }

  #readExtension(byte: number): boolean {
    if (byte === cr) {
      this.#state = 'size end';
      return extensionShape.test(this.#extension);
    }
    this.#extraBytes += 1;
    this.#extension += String.fromCharCode(byte);
    return this.#extraBytes <= extraBytesMax;
  }

  /** Reads the trailers. They are held until complete, because only then can they be checked. */
  #readTrailer(bytes: Buffer, at: number, out: Buffer[]): number {
    const text = this.#trailer + bytes.toString('latin1', at);
    const end = text.startsWith('\r\n') ? 2 : text.indexOf('\r\n\r\n') + 4;
    if (end === 3) {
      this.#trailer = text;
      return text.length > extraBytesMax ? -1 : bytes.length;
    }
    const section = text.slice(0, end);
    if (section.length > extraBytesMax || !trailerShape.test(section) || forbiddenInTrailers.test(section)) return -1;
    if (!this.#plain) out.push(Buffer.from(section, 'latin1'));
    this.#state = 'done';
    return at + end - this.#trailer.length;
  }
}

function parseHexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
