import { Pool } from 'undici';
import { LabError } from '../errors.js';
import { Deadlines } from './deadlines.js';
import type { JourneyRequest } from './shop-requests.js';

/** What came of one request. Never an exception. */
export interface Reply {
  /** Whether a byte of the request can have reached the server. */
  readonly handedOver: boolean;
  /** Whether the whole answer came. */
  readonly complete: boolean;
  /** When an answer began. */
  readonly status?: number;
  readonly headers: ReplyHeaders;
  readonly body: string;
  /** Why the answer is not complete: `ECONNREFUSED`, `timeout`, `UND_ERR_SOCKET` ... */
  readonly error?: string;
  /** The name of the proxy that took the request; only where the users know several. */
  readonly proxy?: string;
}

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** A cart of thousands of lines fits. */
const bodyBytesMax = 4 * 1024 * 1024;

type Settle = (reply: Reply) => void;

/**
 * HTTP/1.1 to one origin, over as many connections as there are requests at once: users do not wait for each other.
 * Talks to loopback addresses only; a simulator of thousands of users must not be pointed at a server of other people.
 */
export class HttpClient {
  readonly #pool: Pool;
  readonly #deadlines: Deadlines;

  /** `timeoutMs`: from the call of `send` to the last byte of the answer. */
  constructor(origin: string, timeoutMs: number) {
    const { hostname } = new URL(origin);
    if (!/^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/.test(hostname))
      throw new LabError(`the simulator drives loopback addresses only, not ${origin}`);
    this.#pool = new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, maxResponseSize: bodyBytesMax });
    this.#deadlines = new Deadlines(timeoutMs);
  }

  send(request: JourneyRequest, cookie: string | undefined): Promise<Reply> {
    return new Promise(resolve => {
      const pending = new Pending(resolve);
      this.#deadlines.add(pending);
      this.#pool.dispatch({ method: request.method, path: request.path, ...payload(request, cookie) }, pending);
    });
  }

  /** Breaks off what is still open: it ends as `handedOver` and incomplete. */
  async close(): Promise<void> {
    this.#deadlines.close();
    await this.#pool.destroy();
  }
}

function payload({ body, headers: own }: JourneyRequest, cookie: string | undefined) {
  const headers: string[] = cookie === undefined ? [] : ['cookie', cookie];
  if (own !== undefined) headers.push(...own);
  else if (body !== undefined) headers.push('content-type', 'application/json');
  return body === undefined ? { headers } : { headers, body };
}

type Controller = Parameters<NonNullable<Parameters<Pool['dispatch']>[1]['onRequestStart']>>[0];

/** One request in flight, as undici's dispatch handler: one object and no stream per request. */
class Pending {
  settled = false;
  readonly #settle: Settle;
  #controller: Controller | undefined;
  #status: number | undefined;
  #headers: ReplyHeaders = {};
  readonly #chunks: Buffer[] = [];

  constructor(settle: Settle) {
    this.#settle = settle;
  }

  /** Called right before the first byte is written; aborting here writes none. */
  onRequestStart(controller: Controller): void {
    if (this.settled) controller.abort(new Error('timeout'));
    else this.#controller = controller;
  }

  onResponseStart(_controller: Controller, status: number, headers: ReplyHeaders): void {
    // 103 and its like announce; the answer is still to come.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#end('code' in error && error.code !== undefined ? String(error.code) : error.message);
  }

  expire(): void {
    this.#end('timeout');
    this.#controller?.abort(new Error('timeout'));
  }

  #end(error?: string): void {
    if (this.settled) return;
    this.settled = true;
    this.#settle({
      handedOver: this.#controller !== undefined,
      complete: error === undefined,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks).toString(),
      ...(this.#status === undefined ? {} : { status: this.#status }),
      ...(error === undefined ? {} : { error }),
    });
  }
}
