import { Pool } from 'undici';
import { LabError } from '../errors.js';
import { type AppReply, type JourneyRequest, originPlaceholder, type ReplyHeaders } from './journey.js';

/** Longest body: a cart of thousands of lines fits. */
const bodyBytesMax = 4 * 1024 * 1024;

type Settle = (reply: AppReply) => void;

/**
 * Speaks HTTP/1.1 to one origin. Each concurrent request has its own connection, so that users do not wait for each
 * other. It accepts only loopback addresses: a simulator of thousands of users must not attack other people's servers.
 */
export class HttpClient {
  readonly #pool: Pool;
  readonly #deadlines: Deadlines;
  readonly #origin: string;

  /** `timeoutMs` is the limit from the call of `send` to the last byte of the answer. Throws `LabError` for an origin
   * that is not a loopback address. */
  constructor(origin: string, timeoutMs: number) {
    const { hostname, origin: plain } = new URL(origin);
    this.#origin = plain;
    if (!/^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/.test(hostname))
      throw new LabError(`the simulator drives loopback addresses only, not ${origin}`);
    this.#pool = new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, maxResponseSize: bodyBytesMax });
    this.#deadlines = new Deadlines(timeoutMs);
  }

  send(request: JourneyRequest, cookie: string | undefined): Promise<AppReply> {
    return new Promise(resolve => {
      const pending = new Pending(resolve);
      this.#deadlines.add(pending);
      this.#pool.dispatch(
        { method: request.method, path: request.path, ...buildPayload(request, cookie, this.#origin) },
        pending,
      );
    });
  }

  /** Aborts all open requests. They end as `handedOver` and incomplete. */
  async close(): Promise<void> {
    this.#deadlines.close();
    await this.#pool.destroy();
  }
}

function buildPayload({ body, headers: own }: JourneyRequest, cookie: string | undefined, origin: string) {
  const headers: string[] = cookie === undefined ? [] : ['cookie', cookie];
  if (own !== undefined) headers.push(...own.map(text => text.replaceAll(originPlaceholder, origin)));
  else if (body !== undefined) headers.push('content-type', 'application/json');
  return body === undefined ? { headers } : { headers, body };
}

type Controller = Parameters<NonNullable<Parameters<Pool['dispatch']>[1]['onRequestStart']>>[0];

/** Handles one request in flight, as undici's dispatch handler. It needs one object per request, and no stream. */
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

  /** Called right before the first byte is written. Aborting here writes nothing. */
  onRequestStart(controller: Controller): void {
    if (this.settled) controller.abort(new Error('timeout'));
    else this.#controller = controller;
  }

  onResponseStart(_controller: Controller, status: number, headers: ReplyHeaders): void {
    // Informational answers such as 103 come before the real answer.
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

/** Something that ends by itself (`settled`), or must be ended when its time is over. */
interface Expiring {
  readonly settled: boolean;
  expire(): void;
}

/**
 * Expires items after one common limit. They expire in the order in which they were added, so one timer serves
 * thousands.
 */
class Deadlines {
  readonly #limitMs: number;
  #queue: { readonly item: Expiring; readonly atMs: number }[] = [];
  #head = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  add(item: Expiring): void {
    this.#queue.push({ item, atMs: performance.now() + this.#limitMs });
    if (this.#timer === undefined) this.#arm(this.#limitMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#head = 0;
  }

  #arm(inMs: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(inMs)));
  }

  /** Skips settled items, expires those that are due, and sets the timer for the oldest open one. */
  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (let entry = this.#queue[this.#head]; entry !== undefined; entry = this.#queue[this.#head]) {
      if (!entry.item.settled && entry.atMs > now) break;
      this.#head += 1;
      if (!entry.item.settled) entry.item.expire();
    }
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
    const oldest = this.#queue[0];
    if (oldest !== undefined) this.#arm(oldest.atMs - now);
  }
}
