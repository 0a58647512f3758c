import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Snapshot, StreamMessage } from './protocol.js';

/** Maximum number of open streams. Each open page has one. */
export const streamsMax = 16;
/** A page that was away for longer gets a snapshot. */
const ringMs = 30_000;
/** Maximum length of all messages in the ring together. The oldest are dropped first. */
const ringCharsMax = 4 * 1024 * 1024;

interface SentMessage {
  readonly id: number;
  readonly atMs: number;
  readonly text: string;
}

interface Reader {
  readonly response: ServerResponse;
  /** It missed messages because it did not read the earlier ones. */
  isBehind: boolean;
}

/**
 * Server-sent events for the pages: `event: <kind>`, one line of JSON, and `id:`, which counts the messages.
 *
 *     open ── Last-Event-ID in the ring ──▶ the missing messages ─┐
 *      └──── otherwise ──▶ snapshot ──────────────────────────────┴──▶ each message
 *                             ▲                                            │ the reader has not read the last one
 *                             └── when it has read all ◀── none ◀──────────┘
 *
 * So a slow reader never has more than one unread message or snapshot in this process, apart from the socket buffer.
 */
export class LiveStreams {
  readonly #snapshot: () => Snapshot;
  readonly #now: () => number;
  readonly #readers = new Map<ServerResponse, Reader>();
  #ring: SentMessage[] = [];
  #ringChars = 0;
  #lastId = 0;

  /** `snapshot` returns the state after the last message. */
  constructor(snapshot: () => Snapshot, now: () => number = () => performance.now()) {
    this.#snapshot = snapshot;
    this.#now = now;
  }

  /** Adds a reader. Returns false and writes nothing when there are `streamsMax` already. */
  open(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#readers.size >= streamsMax) return false;
    const reader: Reader = { response, isBehind: false };
    this.#readers.set(response, reader);
    response.on('close', () => this.#readers.delete(response));
    response.on('drain', () => this.#catchUp(reader));
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    response.write(this.#missedSince(request.headers['last-event-id']) ?? this.#snapshotText());
    return true;
  }

  /** Sends a message to every reader that has read the earlier ones. */
  send(message: StreamMessage): void {
    this.#lastId += 1;
    const text = formatEvent(this.#lastId, message);
    this.#remember({ id: this.#lastId, atMs: this.#now(), text });
    for (const reader of this.#readers.values()) {
      if (reader.response.writableNeedDrain) reader.isBehind = true;
      else reader.response.write(text);
    }
  }

  /** Ends every stream, and does not wait for slow readers. The server cuts their connections. */
  close(): void {
    for (const { response } of this.#readers.values()) response.end();
  }

  #catchUp(reader: Reader): void {
    if (!reader.isBehind || reader.response.writableEnded) return;
    reader.isBehind = false;
    reader.response.write(this.#snapshotText());
  }

  #snapshotText(): string {
    return formatEvent(this.#lastId, this.#snapshot());
  }

  /** Returns the messages after this id. Undefined when the ring does not hold all of them. */
  #missedSince(lastEventId: string | string[] | undefined): string | undefined {
    if (typeof lastEventId !== 'string' || !/^\d{1,15}$/.test(lastEventId)) return undefined;
    this.#forgetOld();
    const id = Number(lastEventId);
    const first = this.#lastId - this.#ring.length;
    if (id < first || id > this.#lastId) return undefined;
    return this.#ring
      .slice(id - first)
      .map(({ text }) => text)
      .join('');
  }

  #remember(message: SentMessage): void {
    this.#ring.push(message);
    this.#ringChars += message.text.length;
    this.#forgetOld();
  }

  #forgetOld(): void {
    const oldestMs = this.#now() - ringMs;
    let [first] = this.#ring;
    while (first !== undefined && (first.atMs < oldestMs || this.#ringChars > ringCharsMax)) {
      this.#ring.shift();
      this.#ringChars -= first.text.length;
      [first] = this.#ring;
    }
  }
}

function formatEvent(id: number, message: StreamMessage): string {
  return `id: ${id}\nevent: ${message.kind}\ndata: ${JSON.stringify(message)}\n\n`;
}
