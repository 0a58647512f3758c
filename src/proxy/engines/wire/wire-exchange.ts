import type { Backend } from '../../backends.js';
import { cookieValue } from '../../cookie-header.js';
import type { Exchange, HeaderEdits, Outcome } from '../../exchange.js';
import { Attempt } from './attempt.js';
import type { ExchangeClient } from './exchange-client.js';
import { forwardedHead } from './forwarded-head.js';
import type { RequestHead } from './request-head.js';
import { Upload } from './upload.js';
import type { Wire } from './wire.js';

const abandoned: Outcome = { kind: 'abandoned' };

/** A request, as the heart sees it. */
export class WireExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly clientAddress: string;
  readonly secure: boolean;
  readonly upgrade: boolean;
  readonly wire: Wire;
  readonly client: ExchangeClient;
  readonly head: RequestHead;
  readonly upload: Upload;
  #attempt: Attempt | undefined;

  constructor(wire: Wire, client: ExchangeClient, head: RequestHead) {
    this.wire = wire;
    this.client = client;
    this.head = head;
    this.method = head.method;
    this.path = head.target;
    this.clientAddress = client.way.address;
    this.secure = client.way.isSecure(head);
    this.upgrade = head.upgrade;
    this.upload = head.hasBody ? new Upload(false, wire.limits.replayBytesMax) : Upload.none;
  }

  get attempt(): Attempt | undefined {
    return this.#attempt;
  }

  get replayable(): boolean {
    return this.upload.replayable;
  }

  cookie(name: string, nth = 0): string | undefined {
    return cookieValue(this.head.cookie, name, nth);
  }

  header(name: string): string | undefined {
    return this.head.field(name);
  }

  send(backend: Backend, edits: HeaderEdits): Promise<Outcome> {
    if (this.client.gone) return Promise.resolve(abandoned);
    const text = forwardedHead(this.head, edits, this.client.way.linesFor(this.head), backend.url.host);
    return new Promise(resolve => {
      this.#attempt = new Attempt(this, backend, edits, text, resolve);
      this.#attempt.start();
    });
  }

  breakOff(): void {
    this.#attempt?.breakOff();
  }

  endTunnel(): void {
    this.client.endTunnel();
  }

  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>): void {
    if (!this.client.gone && !this.#attempt?.begun) this.client.refuse(status, reason, headers, this.head);
  }
}
