/** Where the body of a request goes for now. */
export type Sink = (parts: readonly Buffer[], complete: boolean) => void;

/**
 * The body of one request, on its way to one backend after the other. What was read is kept up to a limit, in the form
 * in which it is sent, and sent again to the next.
 */
export class WireUpload {
  /** Of all requests without a body. */
  static readonly none = new WireUpload(true, 0);
  readonly #keepBytesMax: number;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #complete: boolean;
  #sink: Sink | undefined;

  constructor(complete: boolean, keepBytesMax: number) {
    this.#complete = complete;
    this.#keepBytesMax = keepBytesMax;
  }

  /** The client has sent everything. */
  get complete(): boolean {
    return this.#complete;
  }

  /** What was read can be sent again, from the beginning. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** From here on to `sink`, beginning with what was read already. */
  pour(sink: Sink): void {
    this.#sink = sink;
    if (this.#keptBytes > 0) sink(this.#kept ?? [], this.#complete);
  }

  stop(): void {
    this.#sink = undefined;
  }

  pass(parts: readonly Buffer[], complete: boolean): void {
    this.#complete = complete;
    for (const part of parts) this.#keep(part);
    this.#sink?.(parts, complete);
  }

  /** A copy: what is passed may be lent (see `Reads`). */
  #keep(part: Buffer): void {
    this.#keptBytes += part.length;
    if (this.#keptBytes > this.#keepBytesMax) this.#kept = undefined;
    else this.#kept?.push(Buffer.from(part));
  }
}
