import { areEqual } from './byte-text.js';

const startEntries = 1024;
const startBytes = 64 * 1024;
/** Fields of an entry: where its bytes start, how many there are, its scope and its hash. */
const fields = 4;
const quote = 0x22;
const backslash = 0x5c;
/** Offsets are 32-bit integers. */
const bytesMax = 2 ** 31 - 1;

/** Bytes that strings are read from, seen in two ways. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function sourceOf(bytes: Uint8Array): Source {
  return { bytes, view: viewOf(bytes) };
}

/** The memory of a pool. Threads share it. */
export interface StringPoolParts {
  readonly entries: Int32Array;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly isAscii: boolean;
  readonly isPlain: boolean;
}

/**
 * Keeps each different string once, as UTF-8 bytes outside the heap, and gives it a number. A history of ten million
 * operations names four million tokens: as strings on the heap they would cost several times as much.
 *
 * A scope separates equal strings: tokens are kept by user, so that those of one user are not searched among all.
 */
export class StringPool {
  #entries: Int32Array;
  #bytes: Uint8Array;
  #text: Buffer;
  #view: DataView;
  /** Open addressing: the number of an entry + 1, or 0. Never more than half full. */
  #slots: Int32Array;
  #size: number;
  #used: number;
  #isAscii: boolean;
  /** No string holds what JSON writes with a backslash: a quote, a backslash or a control character. */
  #isPlain: boolean;

  constructor(parts?: StringPoolParts) {
    this.#entries = parts?.entries ?? sharedInts(startEntries * fields);
    this.#bytes = parts?.bytes ?? sharedBytes(startBytes);
    this.#text = bufferOf(this.#bytes);
    this.#view = viewOf(this.#bytes);
    this.#size = parts?.size ?? 0;
    this.#used = endOf(this.#entries, this.#size);
    this.#isAscii = parts?.isAscii ?? true;
    this.#isPlain = parts?.isPlain ?? true;
    this.#slots = new Int32Array(0);
    this.#fillSlots();
  }

  get size(): number {
    return this.#size;
  }

  parts(): StringPoolParts {
    return {
      entries: this.#entries,
      bytes: this.#bytes,
      size: this.#size,
      isAscii: this.#isAscii,
      isPlain: this.#isPlain,
    };
  }

  text(number: number): string {
    const from = this.#entries[number * fields] ?? 0;
    const to = from + (this.#entries[number * fields + 1] ?? 0);
    return this.#text.toString(this.#isAscii ? 'latin1' : 'utf8', from, to);
  }

  /** Returns the number of the string, which it gets on its first call. `hash` is `hashOf` the same bytes and scope. */
  intern(source: Source, from: number, to: number, scope: number, hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0) break;
      if (this.#isEntry(number, source, from, to, scope, hash)) return number;
      slot = (slot + 1) & mask;
    }
    return this.#add(source, from, to, scope, hash, slot);
  }

  internText(text: string, scope: number): number {
    const bytes = Buffer.from(text);
    return this.intern(sourceOf(bytes), 0, bytes.length, scope, hashOf(bytes, scope));
  }

  /** Returns where the JSON string ends that begins behind the quote at `from` - 1, if it is this string. Else -1. */
  endIfWrittenAt(number: number, source: Source, from: number): number {
    const length = this.#entries[number * fields + 1] ?? 0;
    if (!this.#isPlain || source.bytes[from + length] !== quote) return -1;
    const start = this.#entries[number * fields] ?? 0;
    return areEqual(this.#view, start, source.view, from, length) ? from + length : -1;
  }

  #isEntry(number: number, source: Source, from: number, to: number, scope: number, hash: number): boolean {
    const entry = number * fields;
    const entries = this.#entries;
    if (entries[entry + 3] !== hash || entries[entry + 2] !== scope || entries[entry + 1] !== to - from) return false;
    return areEqual(this.#view, entries[entry] ?? 0, source.view, from, to - from);
  }

  #add(source: Source, from: number, to: number, scope: number, hash: number, slot: number): number {
    const number = this.#size;
    if (this.#used + to - from > bytesMax) throw new RangeError('the strings of the history are longer than 2 GB');
    this.#reserve(to - from);
    this.#entries[number * fields] = this.#used;
    this.#entries[number * fields + 1] = to - from;
    this.#entries[number * fields + 2] = scope;
    this.#entries[number * fields + 3] = hash;
    for (let i = from; i < to; i += 1) {
      const byte = source.bytes[i] ?? 0;
      if (byte >= 0x80) this.#isAscii = false;
      if (byte < 0x20 || byte === quote || byte === backslash) this.#isPlain = false;
      this.#bytes[this.#used++] = byte;
    }
    this.#slots[slot] = number + 1;
    this.#size = number + 1;
    if (this.#size * 2 > this.#slots.length) this.#fillSlots();
    return number;
  }

  #reserve(length: number): void {
    if ((this.#size + 1) * fields > this.#entries.length) {
      const entries = sharedInts(this.#entries.length * 2);
      entries.set(this.#entries);
      this.#entries = entries;
    }
    if (this.#used + length > this.#bytes.length) {
      const bytes = sharedBytes(Math.min(bytesMax, Math.max(this.#bytes.length * 2, this.#used + length)));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#text = bufferOf(bytes);
      this.#view = viewOf(bytes);
    }
  }

  #fillSlots(): void {
    let length = startEntries;
    while (length < this.#size * 4) length *= 2;
    this.#slots = new Int32Array(length);
    for (let number = 0; number < this.#size; number += 1) {
      let slot = (this.#entries[number * fields + 3] ?? 0) & (length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (length - 1);
      this.#slots[slot] = number + 1;
    }
  }
}

/** FNV-1a, then mixed once more, since a table uses the low bits only. */
export function hashOf(bytes: Uint8Array, scope: number): number {
  return mixed(bytes.reduce(hashedWith, seedOf(scope)));
}

export function seedOf(scope: number): number {
  return (0x811c9dc5 ^ Math.imul(scope, 0x9e3779b1)) | 0;
}

export function hashedWith(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

export function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return half ^ (half >>> 13);
}

function endOf(entries: Int32Array, size: number): number {
  const last = (size - 1) * fields;
  return size === 0 ? 0 : (entries[last] ?? 0) + (entries[last + 1] ?? 0);
}

function sharedInts(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * 4));
}

function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
