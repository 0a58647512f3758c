import { ClientRequest, type IncomingMessage } from 'node:http';
import { Stream } from 'node:stream';
import { wasEstablished } from './backend-agent.js';

/** Who wants to know what becomes of the request while it is sent. */
export interface UploadListener {
  /** The request to the backend was made; nothing of it was written yet. */
  opened(request: ClientRequest): void;
  /** Bytes of the body moved. */
  progressed(): void;
  /** The body is written whole. */
  sent(): void;
}

/**
 * The body of one request, on its way to one backend after the other. It is read only when a backend is connected, so
 * that a refused connection costs nothing of it; what was read is kept up to a limit and written again for the next.
 *
 * It is handed to http-proxy as its `buffer`, the stream that is piped into the request to the backend.
 */
export class HttpUpload extends Stream {
  readonly #source: IncomingMessage;
  readonly #keepBytesMax: number;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #complete: boolean;
  #listener: UploadListener | undefined;
  #target: ClientRequest | undefined;

  constructor(source: IncomingMessage, hasBody: boolean, keepBytesMax: number) {
    super();
    this.#source = source;
    this.#keepBytesMax = keepBytesMax;
    this.#complete = !hasBody;
    if (!hasBody) return;
    source.on('data', chunk => this.#pass(chunk));
    source.on('end', () => this.#finish());
    source.pause();
  }

  /** What was sent so far can be sent again. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** The client has sent everything. */
  get complete(): boolean {
    return this.#complete;
  }

  /** The backend takes no more for now. */
  get blocked(): boolean {
    return this.#target?.writableNeedDrain ?? false;
  }

  /** Before each attempt. */
  listen(listener: UploadListener): void {
    this.#listener = listener;
  }

  /** After each attempt: nothing more is read until the next one. */
  detach(): void {
    this.#target = undefined;
    this.#listener = undefined;
    if (!this.#complete) this.#source.pause();
  }

  /**
   * The exchange is over: the rest of the body is read and dropped, so that the connection can carry the next request.
   * What has not come after `withinMs` is not worth the wait: the connection is closed.
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
    this.#listener?.progressed();
    // After the attempt ended, the rest of the body is nobody's: it is read and dropped.
    if (this.#target?.write(chunk) === false) this.#source.pause();
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > this.#keepBytesMax) this.#kept = undefined;
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
