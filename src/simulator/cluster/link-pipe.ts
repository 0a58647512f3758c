import type { Socket } from 'node:net';
import type { Random } from '../plan/random.js';

/** The inside of a link: the toxics that disturb it, and the pipe of one direction of one connection. */

/** A direction. `forward`: bytes that the first end of a link sends; `back`: bytes that the other end sends. */
export type LinkDirection = 'forward' | 'back';

/** One disturbance of a link. Absent parts change nothing. A toxic belongs to one link, because some keep state. */
export interface Toxic {
  /** Returns when bytes sent at `atMs` leave the link. The order of bytes never changes. */
  readonly leavesMs?: (way: LinkDirection, bytes: number, atMs: number) => number;
  /** Returns whether bytes in this direction are swallowed. */
  readonly cuts?: (way: LinkDirection) => boolean;
  /** `afterBytes` of an answer arrive. If the answer is longer, the connection then ends. */
  readonly breaks?: { readonly afterBytes: number; readonly by: 'reset' | 'end' };
  /** Set when new connections are refused. */
  readonly refuses?: true;
}

export function cut(direction: LinkDirection | 'both'): Toxic {
  return { cuts: way => direction === 'both' || direction === way };
}

/**
 * Delays a request and its answer by `roundTripMs` together, half of it each way. Each piece takes up to half of
 * `jitterMs` more or less than that. No piece overtakes another.
 */
export function latency(roundTripMs: number, jitterMs: number, random: Random): Toxic {
  return { leavesMs: (_way, _bytes, atMs) => atMs + Math.max(0, roundTripMs + (2 * random() - 1) * jitterMs) / 2 };
}

/** Limits each direction to so many bytes per second. All connections share the limit; later bytes wait for earlier. */
export function bandwidth(bytesPerSecond: number): Toxic {
  const freeAtMs = { forward: 0, back: 0 };
  return {
    leavesMs(way, bytes, atMs) {
      freeAtMs[way] = Math.max(freeAtMs[way], atMs) + (bytes / bytesPerSecond) * 1_000;
      return freeAtMs[way];
    },
  };
}

/**
 * Cuts answers off after so many bytes. `reset`: as a middlebox does that has forgotten the connection. `end`: as one
 * that closes it in order.
 */
export function breakAnswers(afterBytes: number, by: 'reset' | 'end'): Toxic {
  return { breaks: { afterBytes, by } };
}

export const refuseNew: Toxic = { refuses: true };

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
interface PipeLine {
  readonly toxics: readonly Toxic[];
  readonly flow: Flow;
  /** Returns how many of the next bytes may be delivered. If not all may, the connection ends after them. */
  readonly passing: (bytes: number) => number;
  /** Called when the last byte that may pass was delivered. */
  readonly onBroken?: () => void;
}

/** Bytes, or the end of a side: orderly, or by a reset. */
type Chunk = Buffer | 'end' | 'reset';

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
  hasLost = false;
  readonly way: LinkDirection;
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #line: PipeLine;
  #held: { readonly chunk: Chunk; readonly leavesMs: number }[] = [];
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
    source.on('data', chunk => this.#receive(chunk));
    source.once('end', () => this.#receive('end'));
    source.on('error', () => this.#receive('reset'));
    sink.on('drain', () => this.#onDrain());
    sink.once('close', () => this.stop());
  }

  /** Delivers all held bytes at once. */
  flush(): void {
    this.#held = this.#held.map(({ chunk }) => ({ chunk, leavesMs: 0 }));
    this.#release();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
    this.#heldBytes = 0;
    // Reads and discards what the source still sends, so that the socket can close.
    this.#source.resume();
  }

  #receive(chunk: Chunk): void {
    if (this.#line.toxics.length === 0 && this.#held.length === 0) {
      this.#deliver(chunk);
      return;
    }
    for (const piece of piecesOf(chunk)) this.#hold(piece);
    if (this.#heldBytes > heldBytesMax) this.#source.pause();
    this.#release();
  }

  #hold(chunk: Chunk): void {
    const earliestMs = this.#held.at(-1)?.leavesMs ?? 0;
    const leave = (atMs: number, { leavesMs }: Toxic) => leavesMs?.(this.way, bytesOf(chunk), atMs) ?? atMs;
    const nowMs = performance.now();
    const leavesMs = Math.max(earliestMs, this.#line.toxics.reduce(leave, nowMs));
    if (leavesMs > nowMs) this.#line.flow.heldBytes += bytesOf(chunk);
    this.#held.push({ chunk, leavesMs });
    this.#heldBytes += bytesOf(chunk);
  }

  #release(): void {
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    let count = 0;
    for (let next = this.#held[0]; !this.#full && next !== undefined && next.leavesMs <= nowMs; ) {
      this.#heldBytes -= bytesOf(next.chunk);
      this.#deliver(next.chunk);
      count += 1;
      next = this.#held[count];
    }
    this.#held = this.#held.slice(count);
    const next = this.#held[0];
    if (!this.#full && this.#heldBytes <= heldBytesMax) this.#source.resume();
    if (!this.#full && next !== undefined) this.#timer = setTimeout(() => this.#release(), next.leavesMs - nowMs + 1);
  }

  #deliver(chunk: Chunk): void {
    if (this.#line.toxics.some(({ cuts }) => cuts?.(this.way))) this.#swallow(chunk);
    else if (chunk === 'end') this.#sink.end();
    else if (chunk === 'reset') this.#sink.resetAndDestroy();
    else this.#write(chunk);
  }

  #swallow(chunk: Chunk): void {
    this.hasLost = true;
    this.#line.flow.swallowedBytes += bytesOf(chunk);
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

  #onDrain(): void {
    this.#full = false;
    this.#release();
  }
}

function bytesOf(chunk: Chunk): number {
  return typeof chunk === 'string' ? 0 : chunk.length;
}

function piecesOf(chunk: Chunk): readonly Chunk[] {
  if (typeof chunk === 'string' || chunk.length <= pieceBytesMax) return [chunk];
  const count = Math.ceil(chunk.length / pieceBytesMax);
  return Array.from({ length: count }, (_, nth) => chunk.subarray(nth * pieceBytesMax, (nth + 1) * pieceBytesMax));
}
