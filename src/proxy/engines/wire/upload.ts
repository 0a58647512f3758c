/** The present destination of a request body. */
export type Sink = (parts: readonly Buffer[], complete: boolean) => void;

/**
 * The body of one request, sent to one backend after the other. Bytes already read are kept up to a limit, as they are
 * sent, and sent again to the next backend.
 */
export class WireUpload {
  /** Shared by all requests without a body. */
  static readonly none = new WireUpload('', 0);
  /** The whole body, one character for each byte, if it arrived with its head. Then it is never passed in parts. */
  readonly #whole: string | undefined;
  readonly #keepBytesMax: number;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #complete: boolean;
  #sink: Sink | undefined;

  constructor(whole: string | undefined, keepBytesMax: number) {
    this.#whole = whole;
    this.#complete = whole !== undefined;
    this.#keepBytesMax = keepBytesMax;
  }

  /** The bytes that were read for a backend, with the lines of chunks. */
  get bytes(): number {
    return this.#keptBytes;
  }

  /** The client has sent the whole body. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Everything read so far can be sent again from the beginning. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** Returns the whole body for a backend; undefined if it did not arrive with its head. */
  pourWhole(): string | undefined {
    if (this.#whole === undefined) return undefined;
    this.#count(this.#whole.length);
    return this.#whole;
  }

  /** Sends the body to `sink`, beginning with the bytes already read. */
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

  /** Keeps a copy, because the bytes may be lent (see `Reads`). */
  #keep(part: Buffer): void {
    this.#count(this.#keptBytes + part.length);
    this.#kept?.push(Buffer.from(part));
  }

  /** Sets the number of bytes that were read. Too many are not kept. */
  #count(bytes: number): void {
    this.#keptBytes = bytes;
    if (bytes > this.#keepBytesMax) this.#kept = undefined;
  }
}
