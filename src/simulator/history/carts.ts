const blockBits = 20;
const blockLength = 2 ** blockBits;
const blockMask = blockLength - 1;

/** The carts of reads: in one list of integers each its length and then the numbers of its tokens. */
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

  /** The block that holds a cart. */
  blockOf(cart: number): Int32Array {
    return this.blocks[cart >> blockBits] ?? none;
  }

  /** Where in its block a cart begins: its length stands there, its tokens behind it. */
  placeOf(cart: number): number {
    return cart & blockMask;
  }
}

const none = new Int32Array(1);
