/** What this process carried out, for tests: a write that was executed twice shows here even if the cart hides it. */
export interface TallyReport {
  readonly requests: number;
  /** POST /cart that were carried out. */
  readonly writes: number;
  readonly uniqueTokens: number;
  /** Skus that were added more than once in this process, whoever added them. */
  readonly duplicateTokens: readonly string[];
  /** False once more skus were seen than are remembered: then a duplicate may be missing. */
  readonly complete: boolean;
}

const tokensMax = 200_000;

export class RequestCounts {
  readonly #tokens = new Set<string>();
  readonly #duplicates = new Set<string>();
  #requests = 0;
  #writes = 0;
  #complete = true;

  countRequest(): void {
    this.#requests++;
  }

  countWrite(sku: string): void {
    this.#writes++;
    if (this.#tokens.has(sku)) this.#duplicates.add(sku);
    else if (this.#tokens.size < tokensMax) this.#tokens.add(sku);
    else this.#complete = false;
  }

  report(): TallyReport {
    return {
      requests: this.#requests,
      writes: this.#writes,
      uniqueTokens: this.#tokens.size,
      duplicateTokens: [...this.#duplicates],
      complete: this.#complete,
    };
  }
}
