/** Counts of what this process carried out, for tests. They show a write that was executed twice, even if the cart
 * hides it. */
export interface RequestReport {
  readonly requests: number;
  /** Number of POST /cart that were carried out. */
  readonly writes: number;
  readonly uniqueTokens: number;
  /** Skus that were added more than once in this process, by any user. */
  readonly duplicateTokens: readonly string[];
  /** The most requests of users that were here at once. */
  readonly atOnceMax: number;
  /** False if more skus were seen than are remembered. Then a duplicate may be missing. */
  readonly complete: boolean;
}

const tokensMax = 200_000;

export class RequestCounts {
  readonly #tokens = new Set<string>();
  readonly #duplicates = new Set<string>();
  #requests = 0;
  #atOnce = 0;
  #atOnceMax = 0;
  #writes = 0;
  #complete = true;

  countRequest(): void {
    this.#requests++;
  }

  /** Counts a request of a user as here until `leave` is called. */
  enter(): void {
    this.#atOnce++;
    this.#atOnceMax = Math.max(this.#atOnceMax, this.#atOnce);
  }

  leave(): void {
    this.#atOnce--;
  }

  countWrite(sku: string): void {
    this.#writes++;
    if (this.#tokens.has(sku)) this.#duplicates.add(sku);
    else if (this.#tokens.size < tokensMax) this.#tokens.add(sku);
    else this.#complete = false;
  }

  report(): RequestReport {
    return {
      requests: this.#requests,
      writes: this.#writes,
      uniqueTokens: this.#tokens.size,
      duplicateTokens: [...this.#duplicates],
      atOnceMax: this.#atOnceMax,
      complete: this.#complete,
    };
  }
}
