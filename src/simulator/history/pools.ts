/** Pools keep the strings and the carts of a long history outside the heap. Threads share their memory. */

/** Bytes that strings are read from, in two views. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function sourceOf(bytes: Uint8Array): Source {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** The memory of a pool. Threads share it. */
export interface StringPoolParts {
  readonly memory: SharedArrayBuffer;
  readonly used: number;
  readonly size: number;
  readonly isAscii: boolean;
}

const quote = 0x22;
const backslash = 0x5c;
const bytesAtFirst = 64 * 1024;
/** Offsets are 32-bit integers. */
const bytesMax = 2 ** 31 - 8;
const slotsAtFirst = 1024;
/** Estimated size of a string with its head. */
const bytesExpected = 40;

/** The integers that precede the bytes of a string. */
const head = { ordinal: 0, scope: 1, hash: 2, length: 3, next: 4, integers: 5 } as const;

/**
 * Keeps each distinct string once, as UTF-8 bytes outside the heap. A history of ten million operations has four
 * million tokens. As strings on the heap they would need several times as much memory.
 *
 * A string has an address and an ordinal: 0 for the first, 1 for the next. Head and bytes are adjacent, so that reading
 * a string costs one cache miss instead of three.
 *
 * A scope separates equal strings: tokens are kept by user, so that a look-up searches only the tokens of one user.
 */
export class StringPool {
  #memory: Memory;
  #used: number;
  #size: number;
  #isAscii: boolean;
  /** Whether no string holds anything that JSON writes with a backslash (a quote, a backslash, a control character). */
  #isPlain = true;
  /** A table with open addressing. A slot holds an address + 1, or 0, and then the hash, so that only likely strings
   * are compared. It is at most three quarters full, and is made when it is first needed. */
  #slots = new Int32Array(0);
  #slotsUsed = 0;
  readonly #slotsMin: number;

  /** Makes a pool with room for `expected` strings, or opens the pool of another thread. */
  constructor(parts?: StringPoolParts, expected = 0) {
    const bytes = Math.min(bytesMax, Math.max(bytesAtFirst, expected * bytesExpected));
    this.#memory = memoryOf(parts?.memory ?? new SharedArrayBuffer(bytes));
    this.#slotsMin = Math.max(slotsAtFirst, expected * 3);
    this.#used = parts?.used ?? 0;
    this.#size = parts?.size ?? 0;
    this.#isAscii = parts?.isAscii ?? true;
  }

  /** Number of strings. */
  get size(): number {
    return this.#size;
  }

  parts(): StringPoolParts {
    return { memory: this.#memory.buffer, used: this.#used, size: this.#size, isAscii: this.#isAscii };
  }

  text(address: number): string {
    const from = (address + head.integers) * 4;
    const length = this.#memory.ints[address + head.length] ?? 0;
    return this.#memory.text.toString(this.#isAscii ? 'latin1' : 'utf8', from, from + length);
  }

  ordinal(address: number): number {
    return this.#memory.ints[address + head.ordinal] ?? 0;
  }

  /** Returns the address of the string that `link` put after this one, or -1. */
  next(address: number): number {
    return (this.#memory.ints[address + head.next] ?? 0) - 1;
  }

  /** Remembers which string follows another: the next token that a user added to the cart. */
  link(address: number, next: number): void {
    this.#memory.ints[address + head.next] = next + 1;
  }

  /** Returns all strings, by ordinal. */
  texts(): string[] {
    const texts: string[] = [];
    for (let address = 0; address < this.#used; address = this.#end(address)) texts.push(this.text(address));
    return texts;
  }

  /** Returns the address of the string, and adds it if it is new. `hash`: `hashOf` for its bytes and scope. */
  intern(source: Source, from: number, to: number, scope: number, hash: number): number {
    if (this.#slotsUsed * 8 >= this.#slots.length * 3) this.#fillSlots();
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const address = (slots[slot] ?? 0) - 1;
      if (address < 0) {
        const added = this.append(source, from, to, scope, hash);
        slots[slot] = added + 1;
        slots[slot + 1] = hash;
        this.#slotsUsed += 1;
        return added;
      }
      if (slots[slot + 1] === hash && this.#isAt(address, source, from, to, scope)) return address;
    }
  }

  internText(text: string, scope: number): number {
    const bytes = Buffer.from(text);
    return this.intern(sourceOf(bytes), 0, bytes.length, scope, hashOf(bytes, scope));
  }

  /**
   * Adds the string even if it is already there. This is cheaper than a look-up, which misses the cache. `intern` may
   * not find such a string and then adds it again.
   */
  append({ bytes: source }: Source, from: number, to: number, scope: number, hash: number): number {
    const address = this.#used;
    this.#used += head.integers + Math.ceil((to - from) / 4);
    if (this.#used * 4 > this.#memory.bytes.length) this.#memory = growMemory(this.#memory, this.#used * 4);
    const { ints, bytes } = this.#memory;
    ints[address + head.ordinal] = this.#size;
    ints[address + head.scope] = scope;
    ints[address + head.hash] = hash;
    ints[address + head.length] = to - from;
    const own = (address + head.integers) * 4 - from;
    for (let i = from; i < to; i += 1) {
      const byte = source[i] ?? 0;
      if (byte >= 0x80) this.#isAscii = false;
      if (byte < 0x20 || byte === quote || byte === backslash) this.#isPlain = false;
      bytes[own + i] = byte;
    }
    this.#size += 1;
    return address;
  }

  /** If the JSON string after the quote at `from` - 1 is this string, returns where it ends. Otherwise -1. */
  endIfWrittenAt(address: number, source: Source, from: number): number {
    const length = this.#memory.ints[address + head.length] ?? 0;
    if (!this.#isPlain || source.bytes[from + length] !== quote) return -1;
    const own = (address + head.integers) * 4;
    return areEqual(this.#memory.view, own, source.view, from, length) ? from + length : -1;
  }

  #isAt(address: number, source: Source, from: number, to: number, scope: number): boolean {
    const { ints, view } = this.#memory;
    if (ints[address + head.scope] !== scope || ints[address + head.length] !== to - from) return false;
    return areEqual(view, (address + head.integers) * 4, source.view, from, to - from);
  }

  #end(address: number): number {
    return address + head.integers + Math.ceil((this.#memory.ints[address + head.length] ?? 0) / 4);
  }

  #fillSlots(): void {
    let length = slotsAtFirst;
    while (length < this.#size * 4 || length < this.#slotsMin) length *= 2;
    const slots = new Int32Array(length);
    for (let address = 0; address < this.#used; address = this.#end(address)) {
      const hash = this.#memory.ints[address + head.hash] ?? 0;
      let slot = (hash << 1) & (length - 1);
      while (slots[slot] !== 0) slot = (slot + 2) & (length - 1);
      slots[slot] = address + 1;
      slots[slot + 1] = hash;
    }
    this.#slots = slots;
    this.#slotsUsed = this.#size;
  }
}

/** Returns the FNV-1a hash, mixed once more because a table uses only the low bits. */
export function hashOf(bytes: Uint8Array, scope: number): number {
  return mixHash(bytes.reduce(hashByte, hashSeed(scope)));
}

export function hashSeed(scope: number): number {
  return (0x811c9dc5 ^ Math.imul(scope, 0x9e3779b1)) | 0;
}

export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

export function mixHash(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return half ^ (half >>> 13);
}

/** One memory, in four views. */
interface Memory extends Source {
  readonly buffer: SharedArrayBuffer;
  readonly ints: Int32Array;
  readonly text: Buffer;
}

function memoryOf(buffer: SharedArrayBuffer): Memory {
  return { ...sourceOf(new Uint8Array(buffer)), buffer, ints: new Int32Array(buffer), text: Buffer.from(buffer) };
}

function growMemory({ bytes }: Memory, bytesMin: number): Memory {
  if (bytesMin > bytesMax) throw new RangeError('the strings of the history are longer than 2 GB');
  const length = Math.min(bytesMax, Math.max(bytes.length * 2, bytesMin));
  const memory = memoryOf(new SharedArrayBuffer(Math.ceil(length / 4) * 4));
  memory.bytes.set(bytes);
  return memory;
}

/** A text of at least four bytes, prepared for comparing four bytes at a time. */
export interface ByteText {
  readonly words: Int32Array;
  /** The last four bytes. */
  readonly last: number;
  readonly length: number;
}

/** Prepares an ASCII text of at least four characters. */
export function toByteText(text: string): ByteText {
  const bytes = Buffer.from(text, 'latin1');
  const words = Int32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readInt32LE(4 * i));
  return { words, last: bytes.readInt32LE(bytes.length - 4), length: bytes.length };
}

/** Whether the bytes at `at` are the text. `view` must be long enough. */
export function matchesAt(view: DataView, at: number, { words, last, length }: ByteText): boolean {
  for (let i = 0; i < words.length; i += 1) if (view.getInt32(at + 4 * i, true) !== words[i]) return false;
  return view.getInt32(at + length - 4, true) === last;
}

/** Whether two ranges of bytes are equal. */
function areEqual(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) if (a.getInt32(atA + i, true) !== b.getInt32(atB + i, true)) return false;
  for (; i < length; i += 1) if (a.getUint8(atA + i) !== b.getUint8(atB + i)) return false;
  return true;
}

const blockBits = 20;
const blockLength = 2 ** blockBits;
const blockMask = blockLength - 1;

/** The carts of reads. One list of integers holds, for each cart, its length and then the numbers of its tokens. */
export class Carts {
  readonly blocks: Int32Array[];
  #end: number;

  constructor(blocks: Int32Array[] = []) {
    this.blocks = blocks;
    this.#end = blocks.length * blockLength;
  }

  /** Returns the number of the cart, or -1 if it is longer than a block. */
  add(tokens: Int32Array, length: number): number {
    if (length >= blockLength) return -1;
    let block = this.blocks[this.#end >> blockBits];
    if (block === undefined || (this.#end & blockMask) + length >= blockLength) {
      this.#end = this.blocks.length * blockLength;
      block = new Int32Array(new SharedArrayBuffer(blockLength * 4));
      this.blocks.push(block);
    }
    const cart = this.#end;
    const at = cart & blockMask;
    block[at] = length;
    for (let i = 0; i < length; i += 1) block[at + 1 + i] = tokens[i] ?? 0;
    this.#end = cart + length + 1;
    return cart;
  }

  /** Returns the block that holds a cart. */
  blockOf(cart: number): Int32Array {
    return this.blocks[cart >> blockBits] ?? none;
  }

  /** Returns the index in its block at which a cart begins. The length stands there, and the tokens follow it. */
  placeOf(cart: number): number {
    return cart & blockMask;
  }
}

const none = new Int32Array(1);

/** Makes the strings of one user's tokens and carts, each once. Consecutive reads of the same cart share one list. */
export class UserTexts {
  readonly #tokens: StringPool;
  readonly #carts: Carts;
  readonly #texts = new Map<number, string>();
  #lastCart = -1;
  #last: readonly string[] = [];

  constructor(tokens: StringPool, carts: Carts) {
    this.#tokens = tokens;
    this.#carts = carts;
  }

  token(number: number): string {
    const known = this.#texts.get(number);
    if (known !== undefined) return known;
    const text = this.#tokens.text(number);
    this.#texts.set(number, text);
    return text;
  }

  cart(cart: number): readonly string[] {
    if (cart === this.#lastCart) return this.#last;
    const block = this.#carts.blockOf(cart);
    const at = this.#carts.placeOf(cart);
    const length = block[at] ?? 0;
    const items: string[] = [];
    // The last cart nearly always holds the same tokens in the same order. Reusing them is cheaper than looking each
    // up.
    const last = this.#last;
    const lastBlock = this.#carts.blockOf(this.#lastCart);
    const lastAt = this.#carts.placeOf(this.#lastCart) + 1;
    let next = 0;
    for (let i = 1; i <= length; i += 1) {
      const number = block[at + i] ?? 0;
      if (next < last.length && lastBlock[lastAt + next] !== number) next += 1;
      const isNext = next < last.length && lastBlock[lastAt + next] === number;
      items.push((isNext ? last[next] : undefined) ?? this.token(number));
      if (isNext) next += 1;
    }
    this.#lastCart = cart;
    this.#last = items;
    return items;
  }
}
