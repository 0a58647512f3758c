import type { StringPool } from './string-pool.js';

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
