import { Socket } from 'node:net';

/** A client's connection without a network. Writes arrive one by one, split as they were made. */
export class MemorySocket extends Socket {
  received = '';
  /** The other side has ended it in some way. */
  over = false;
  /** The other side has reset it. */
  broken = false;

  constructor() {
    super({ allowHalfOpen: true });
    this.on('close', () => {
      this.over = true;
    });
  }

  override resetAndDestroy(): this {
    this.broken = true;
    return this.destroy();
  }

  override _read(): void {}

  override _write(chunk: Buffer | string, encoding: BufferEncoding, written: () => void): void {
    this.received +=
      typeof chunk === 'string' ? Buffer.from(chunk, encoding).toString('latin1') : chunk.toString('latin1');
    written();
  }

  override _writev(chunks: { chunk: Buffer | string; encoding: BufferEncoding }[], written: () => void): void {
    for (const { chunk, encoding } of chunks) this._write(chunk, encoding, () => {});
    written();
  }

  override _final(written: () => void): void {
    this.over = true;
    written();
  }
}
