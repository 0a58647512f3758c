import { ClientRequest, type IncomingMessage } from 'node:http';
import { Stream } from 'node:stream';
import type { EngineLimits } from '../../exchange.js';
import { wasEstablished } from './backend-agent.js';

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
 * http-proxy gets it as its `buffer`: the stream that is piped into the request to the backend.
 */
export class HttpUpload extends Stream {
  readonly #source: IncomingMessage;
  readonly #limits: UploadLimits;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
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
    if (!this.#complete) this.#source.pause();
  }

  /**
   * Ends the exchange. The rest of the body is read and dropped, so that the connection can carry the next request. If
   * it has not arrived after `withinMs`, the connection is closed.
   */
  drop(withinMs: number): void {
    if (this.#complete) return;
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
    this.#keep(chunk);
    const { bodyBytesMax } = this.#limits;
    if (bodyBytesMax > 0 && this.#keptBytes > bodyBytesMax) return void this.#listener?.overflowed();
    this.#listener?.progressed();
    // After the attempt ended, the rest of the body is read and dropped.
    if (this.#target?.write(chunk) === false) this.#source.pause();
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > this.#limits.replayBytesMax) this.#kept = undefined;
    else this.#kept?.push(chunk);
  }

  #finish(): void {
    this.#complete = true;
    if (this.#target !== undefined) this.#end(this.#target);
  }

  #end(request: ClientRequest): void {
    request.end();
    this.#listener?.sent();
  }
}
