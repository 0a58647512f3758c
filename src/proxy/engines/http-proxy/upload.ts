import { ClientRequest, type IncomingMessage } from 'node:http';
import { Stream } from 'node:stream';
import type { EngineLimits } from '../../exchange.js';
import { wasEstablished } from './backend-agent.js';

/** Pieces from this size on are forwarded as they come. */
const wholeBytesMin = 4 * 1024;
/** At this number smaller pieces are forwarded together, before the end of the turn. */
const joinedMax = 1024;

/** Gets reports about the request while it is sent. */
export interface UploadListener {
  /** The request to the backend was created; nothing of it was written yet. */
  opened(request: ClientRequest): void;
  /** Bytes of the body moved. */
  progressed(): void;
  /** The whole body was written. */
  sent(): void;
  /** The client has sent more than is allowed. */
  overflowed(): void;
}

type UploadLimits = Pick<EngineLimits, 'replayBytesMax' | 'bodyBytesMax'>;

/**
 * The body of one request, sent to one backend after the other. It is read only when a backend is connected, so a
 * refused connection loses nothing of it. Bytes already read are kept up to a limit and written again for the next
 * backend.
 *
 * Small pieces that arrive in one turn of the event loop are joined. Node's server emits one piece per chunk, and a chunk
 * can be one byte. Each write costs several times as much as the byte, and each kept piece more than 100 bytes.
 *
 * http-proxy gets it as its `buffer`: the stream that is piped into the request to the backend.
 */
export class HttpUpload extends Stream {
  readonly #source: IncomingMessage;
  readonly #limits: UploadLimits;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  /** Pieces that are joined at the end of this turn. */
  #small: Buffer[] = [];
  #dropped = false;
  #complete: boolean;
  #listener: UploadListener | undefined;
  #target: ClientRequest | undefined;

  constructor(source: IncomingMessage, hasBody: boolean, limits: UploadLimits) {
    super();
    this.#source = source;
    this.#limits = limits;
    this.#complete = !hasBody;
    if (!hasBody) return;
    source.on('data', chunk => this.#pass(chunk));
    source.on('end', () => this.#finish());
    source.pause();
  }

  /** Everything sent so far can be sent again. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** The bytes that were read for a backend. */
  get bytes(): number {
    return this.#keptBytes;
  }

  /** The client has sent the whole body. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Back-pressure: the backend takes no more for now. */
  get blocked(): boolean {
    return this.#target?.writableNeedDrain ?? false;
  }

  /** Called before each attempt. */
  listen(listener: UploadListener): void {
    this.#listener = listener;
  }

  /** Called after each attempt. Nothing more is read until the next one. */
  detach(): void {
    this.#target = undefined;
    this.#listener = undefined;
    this.#join();
    if (!this.#complete) this.#source.pause();
  }

  /**
   * Ends the exchange. The rest of the body is read and dropped, so that the connection can carry the next request. If
   * it has not arrived after `withinMs`, the connection is closed.
   */
  drop(withinMs: number): void {
    if (this.#complete) return;
    this.#dropped = true;
    this.#small = [];
    const source = this.#source;
    const timer = setTimeout(() => source.destroy(), withinMs);
    source.once('close', () => clearTimeout(timer));
    source.resume();
  }

  override pipe<T extends NodeJS.WritableStream>(request: T): T {
    if (!(request instanceof ClientRequest)) throw new TypeError('an upload goes to a backend and nowhere else');
    this.#target = request;
    this.#listener?.opened(request);
    if (this.#complete && this.#keptBytes === 0) request.end();
    else request.once('socket', socket => this.#whenConnected(request, socket));
    return request;
  }

  #whenConnected(request: ClientRequest, socket: NonNullable<ClientRequest['socket']>): void {
    if (wasEstablished(socket)) this.#begin(request);
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.#begin(request));
  }

  #begin(request: ClientRequest): void {
    if (this.#target !== request) return;
    request.on('drain', () => this.#resume(request));
    for (const chunk of this.#kept ?? []) request.write(chunk);
    if (this.#complete) this.#end(request);
    else this.#resume(request);
  }

  #resume(request: ClientRequest): void {
    if (this.#target !== request) return;
    this.#listener?.progressed();
    if (!request.writableNeedDrain) this.#source.resume();
  }

  #pass(chunk: Buffer): void {
    if (this.#dropped) return;
    if (this.#small.length === 0 && chunk.length >= wholeBytesMin) this.#forward(chunk);
    else this.#joinLater(chunk);
  }

  /** Waits for the end of the turn. A `nextTick` would come too early: Node's parser runs those after each chunk. */
  #joinLater(piece: Buffer): void {
    const count = this.#small.push(piece);
    if (count === joinedMax) this.#join();
    else if (count === 1) setImmediate(() => this.#join());
  }

  #join(): void {
    const small = this.#small;
    if (small.length === 0) return;
    this.#small = [];
    this.#forward(Buffer.concat(small));
  }

  #forward(piece: Buffer): void {
    this.#keep(piece);
    const { bodyBytesMax } = this.#limits;
    if (bodyBytesMax > 0 && this.#keptBytes > bodyBytesMax) return void this.#listener?.overflowed();
    this.#listener?.progressed();
    if (this.#target?.write(piece) === false) this.#source.pause();
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > this.#limits.replayBytesMax) this.#kept = undefined;
    else this.#kept?.push(chunk);
  }

  #finish(): void {
    this.#join();
    this.#complete = true;
    if (this.#target !== undefined) this.#end(this.#target);
  }

  #end(request: ClientRequest): void {
    request.end();
    this.#listener?.sent();
  }
}
