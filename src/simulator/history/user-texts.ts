import type { Carts } from './carts.js';
import type { StringPool } from './string-pool.js';

/** The strings of one user's tokens and carts, each made once. A read that shows what the last one showed shares its list. */
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
    // The last cart nearly always holds the same tokens in the same order: cheaper than looking each of them up.
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
