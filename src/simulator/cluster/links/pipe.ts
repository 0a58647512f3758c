import type { Socket } from 'node:net';
import type { LinkDirection, Toxic } from './toxics.js';

/** Counters of one direction of a link. */
export interface Flow {
  /** Delivered to the other end. */
  bytes: number;
  /** Sent and never delivered. */
  swallowedBytes: number;
  /** Delivered later than they were sent. */
  heldBytes: number;
}

/** The parts of a link that its pipes share. */
export interface PipeLine {
  readonly toxics: readonly Toxic[];
  readonly flow: Flow;
  /** Returns how many of the next bytes may be delivered. If not all may, the connection ends after them. */
  readonly passing: (bytes: number) => number;
  /** Called when the last byte that may pass was delivered. */
  readonly onBroken?: () => void;
}

/** Bytes, or the end of a side: orderly, or by a reset. */
type Said = Buffer | 'end' | 'reset';

/** Most bytes held for one direction of one connection. Beyond it the sender has to wait, as with a full TCP window. */
const heldBytesMax = 256 * 1024;
/** The payload of an Ethernet packet. Delayed bytes leave in such pieces, so that a slow link trickles. */
const pieceBytesMax = 1_460;

/**
 * One direction of one connection:
 *
 *     source --[ hold until it leaves ]--[ cut? ]--[ break? ]--> sink
 *
 * Everything is delivered in the order in which it was sent, ends and resets too.
 */
export class Pipe {
  /** True when bytes were swallowed: the stream has a gap and cannot go on. */
  lost = false;
  readonly way: LinkDirection;
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #line: PipeLine;
  #held: { readonly said: Said; readonly leavesMs: number }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Back-pressure: the sink accepts no more bytes for now. */
  #full = false;
  #broken = false;

  constructor(way: LinkDirection, source: Socket, sink: Socket, line: PipeLine) {
    this.way = way;
    this.#source = source;
    this.#sink = sink;
    this.#line = line;
    source.on('data', chunk => this.#hear(chunk));
    source.once('end', () => this.#hear('end'));
    source.on('error', () => this.#hear('reset'));
    sink.on('drain', () => this.#drained());
    sink.once('close', () => this.stop());
  }

  /** Delivers all held bytes at once. */
  flush(): void {
    this.#held = this.#held.map(({ said }) => ({ said, leavesMs: 0 }));
    this.#release();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
    this.#heldBytes = 0;
    // Reads and discards what the source still sends, so that the socket can close.
    this.#source.resume();
  }

  #hear(said: Said): void {
    if (this.#line.toxics.length === 0 && this.#held.length === 0) {
      this.#deliver(said);
      return;
    }
    for (const piece of piecesOf(said)) this.#hold(piece);
    if (this.#heldBytes > heldBytesMax) this.#source.pause();
    this.#release();
  }

  #hold(said: Said): void {
    const earliestMs = this.#held.at(-1)?.leavesMs ?? 0;
    const leave = (atMs: number, { leavesMs }: Toxic) => leavesMs?.(this.way, bytesOf(said), atMs) ?? atMs;
    const nowMs = performance.now();
    const leavesMs = Math.max(earliestMs, this.#line.toxics.reduce(leave, nowMs));
    if (leavesMs > nowMs) this.#line.flow.heldBytes += bytesOf(said);
    this.#held.push({ said, leavesMs });
    this.#heldBytes += bytesOf(said);
  }

  #release(): void {
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    let count = 0;
    for (let next = this.#held[0]; !this.#full && next !== undefined && next.leavesMs <= nowMs; ) {
      this.#heldBytes -= bytesOf(next.said);
      this.#deliver(next.said);
      count += 1;
      next = this.#held[count];
    }
    this.#held = this.#held.slice(count);
    const next = this.#held[0];
    if (!this.#full && this.#heldBytes <= heldBytesMax) this.#source.resume();
    if (!this.#full && next !== undefined) this.#timer = setTimeout(() => this.#release(), next.leavesMs - nowMs + 1);
  }

  #deliver(said: Said): void {
    if (this.#line.toxics.some(({ cuts }) => cuts?.(this.way))) this.#swallow(said);
    else if (said === 'end') this.#sink.end();
    else if (said === 'reset') this.#sink.resetAndDestroy();
    else this.#write(said);
  }

  #swallow(said: Said): void {
    this.lost = true;
    this.#line.flow.swallowedBytes += bytesOf(said);
  }

  #write(chunk: Buffer): void {
    if (this.#broken || this.#sink.destroyed) return;
    const bytes = this.#line.passing(chunk.length);
    this.#line.flow.bytes += bytes;
    if (bytes < chunk.length) {
      this.#broken = true;
      this.#sink.write(chunk.subarray(0, bytes), this.#line.onBroken);
    } else if (!this.#sink.write(chunk)) {
      this.#full = true;
      this.#source.pause();
    }
  }

  #drained(): void {
    this.#full = false;
    this.#release();
  }
}

function bytesOf(said: Said): number {
  return typeof said === 'string' ? 0 : said.length;
}

function piecesOf(said: Said): readonly Said[] {
  if (typeof said === 'string' || said.length <= pieceBytesMax) return [said];
  const count = Math.ceil(said.length / pieceBytesMax);
  return Array.from({ length: count }, (_, nth) => said.subarray(nth * pieceBytesMax, (nth + 1) * pieceBytesMax));
}
