import type { Backend } from '../../backends.js';
import type { Exchange, HeaderEdits, Outcome } from '../../exchange.js';
import { readCookieValue, removeCookie } from '../../headers.js';
import { WireAttempt } from './attempt.js';
import { WireUpload } from './body.js';
import { removeField } from './head-text.js';
import { alwaysDropped, type RequestHead } from './request-head.js';
import type { ExchangeClient, Wire } from './wire.js';

const abandoned: Outcome = { kind: 'abandoned' };

/** A request, as the dispatcher sees it. */
export class WireExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly secure: boolean;
  readonly upgrade: boolean;
  readonly wire: Wire;
  readonly client: ExchangeClient;
  readonly head: RequestHead;
  readonly upload: WireUpload;
  onGone: (() => void) | undefined;
  #attempt: WireAttempt | undefined;

  /** `body`: the whole body as latin1, if it arrived with the head. */
  constructor(wire: Wire, client: ExchangeClient, head: RequestHead, body?: string) {
    this.wire = wire;
    this.client = client;
    this.head = head;
    this.method = head.method;
    this.path = head.target;
    this.secure = client.way.isSecure(head);
    this.upgrade = head.upgrade;
    this.upload = head.hasBody ? new WireUpload(body, wire.limits.replayBytesMax) : WireUpload.none;
  }

  get host(): string | undefined {
    return this.head.host;
  }

  get clientAddress(): string {
    return this.client.way.addressOf(this.head);
  }

  get bytesIn(): number {
    return this.upload.bytes + (this.#attempt?.tunnelBytesIn ?? 0);
  }

  get bytesOut(): number {
    return this.#attempt?.bytesOut ?? 0;
  }

  get attempt(): WireAttempt | undefined {
    return this.#attempt;
  }

  get protocol(): Exchange['protocol'] {
    return this.client.way.protocol;
  }

  get replayable(): boolean {
    return this.upload.replayable;
  }

  cookie(name: string, nth = 0): string | undefined {
    return readCookieValue(this.head.cookie, name, nth);
  }

  header(name: string): string | undefined {
    return this.head.field(name);
  }

  send(backend: Backend, edits: HeaderEdits): Promise<Outcome> {
    if (this.client.gone) return Promise.resolve(abandoned);
    const text = buildForwardedHead(this.head, edits, this.client.way.linesFor(this.head), backend.url.host);
    return new Promise(resolve => {
      this.#attempt = new WireAttempt(this, backend, edits, text, resolve);
      this.#attempt.start();
    });
  }

  breakOff(mayRepeat: boolean): void {
    this.#attempt?.breakOff(mayRepeat);
  }

  endTunnel(): void {
    this.client.endTunnel();
  }

  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>): void {
    if (!this.client.gone && !this.#attempt?.begun) this.client.refuse(status, reason, headers, this.head);
  }
}

/** Builds the backend's head: the client's head without hop-by-hop fields, plus the proxy's own fields. */
function buildForwardedHead(
  head: RequestHead,
  edits: HeaderEdits,
  /** Field lines that are the same for each request of a connection. */
  ofConnection: string,
  /** The backend's own host, for clients that sent none. */
  ownHost: string,
): string {
  const { method, path, host, cookie } = head;
  let { kept } = head;
  let more = '';
  for (const name in edits.request) {
    const value = edits.request[name];
    if (!alwaysDropped.has(name)) kept = removeField(kept, name);
    if (value !== undefined) more += `${name}: ${value}\r\n`;
  }
  const rest = cookie !== undefined && edits.ownCookie !== '' ? removeCookie(cookie, edits.ownCookie) : cookie;
  if (rest !== undefined) more += `cookie: ${rest}\r\n`;
  const asked = host === undefined ? '' : `x-forwarded-host: ${host}\r\n`;
  const hop = `${buildFraming(head)}${head.upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : ''}`;
  return `${method} ${path} HTTP/1.1\r\nhost: ${host ?? ownHost}\r\n${kept}${more}${ofConnection}${asked}${hop}\r\n`;
}

function buildFraming({ chunked, length }: RequestHead): string {
  if (chunked) return 'transfer-encoding: chunked\r\n';
  return length === -1 ? '' : `content-length: ${length}\r\n`;
}
