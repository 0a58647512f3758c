import { none } from '../browser/columns.js';

/** Gives each text a place in a list, the same for the same text. */
export class WordList {
  readonly #places = new Map<string, number>();

  place(text: string | undefined): number {
    if (text === undefined) return none;
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    this.#places.set(text, this.#places.size);
    return this.#places.size - 1;
  }

  get all(): readonly string[] {
    return [...this.#places.keys()];
  }
}
