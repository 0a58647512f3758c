import { Agent, type IncomingMessage, request } from 'node:http';

/** Limit for name and value together (RFC 6265bis section 5.6). A browser may drop a longer cookie silently. */
export const cookieBytesMax = 4096;

/** An attack could not run to its end, so it neither succeeded nor was resisted. The message says what was expected. */
export class Inconclusive extends Error {
  override readonly name = 'Inconclusive';
}

/** One answer and the exchange that it belongs to. Its rarely used parts are computed on demand. */
export class BrowserAnswer {
  readonly status: number;
  /** The Set-Cookie lines as received. */
  readonly setCookies: readonly string[];
  readonly text: string;
  readonly #line: string;
  readonly #sent: Readonly<Record<string, string>>;
  readonly #incoming: IncomingMessage;

  constructor(line: string, sent: Readonly<Record<string, string>>, incoming: IncomingMessage, text: string) {
    this.status = incoming.statusCode ?? 0;
    this.setCookies = incoming.headers['set-cookie'] ?? [];
    this.text = text;
    this.#line = line;
    this.#sent = sent;
    this.#incoming = incoming;
  }

  /** Names in lower case. The values of a repeated header are joined by a comma. */
  get headers(): Readonly<Record<string, string>> {
    const entries = Object.entries(this.#incoming.headersDistinct);
    return Object.fromEntries(entries.map(([name, values]) => [name, (values ?? []).join(', ')]));
  }

  /** Empty when the body is not a JSON object. */
  get json(): Readonly<Record<string, unknown>> {
    return parseObject(this.text);
  }

  get exchange(): AttackExchange {
    const { rawHeaders, statusMessage = '' } = this.#incoming;
    const pairs = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
    return buildExchange(
      { line: this.#line, headers: Object.entries(this.#sent) },
      { line: `HTTP/1.1 ${this.status} ${statusMessage}`.trim(), headers: pairs },
      this.text,
    );
  }
}

export interface RequestOptions {
  /** Sent unchanged; `cookie` replaces the cookies of the jar. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is a string. */
  readonly body?: unknown;
}

export const sessionCookie = 'session';
export const preLoginCookie = 'pre-login';

const answerWithinMs = 15_000;
const connectionsMax = 64;

/** The connections that all browsers of one attacked system share. */
export class BrowserConnections {
  readonly agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });

  close(): void {
    this.agent.destroy();
  }
}

/**
 * The browser of an attacker. It keeps cookies by name, sends any request, and follows no redirect. Every answer holds
 * its exchange. `cookies` may be changed freely.
 */
export class AttackBrowser {
  /** Where its requests go: the proxy, or directly to one backend. */
  readonly origin: string;
  readonly cookies: Map<string, string>;
  readonly #connections: BrowserConnections;

  constructor(connections: BrowserConnections, origin: string, cookies: ReadonlyMap<string, string> = new Map()) {
    this.#connections = connections;
    this.origin = origin;
    this.cookies = new Map(cookies);
  }

  /** Returns another browser with a copy of these cookies. It sends its requests to `origin`. */
  copy(origin = this.origin): AttackBrowser {
    return new AttackBrowser(this.#connections, origin, this.cookies);
  }

  /** Returns another browser that has only this token. It sends its requests to `origin`. */
  thief(token = this.token, origin = this.origin): AttackBrowser {
    return new AttackBrowser(this.#connections, origin, new Map([[sessionCookie, token]]));
  }

  /** The value of the session cookie. Throws `Inconclusive` when there is none. */
  get token(): string {
    const token = this.cookies.get(sessionCookie);
    if (token === undefined) throw new Inconclusive('there is no session cookie where one was expected');
    return token;
  }

  get(path: string, options: RequestOptions = {}): Promise<BrowserAnswer> {
    return this.send('GET', path, options);
  }

  post(path: string, body: unknown = {}, options: RequestOptions = {}): Promise<BrowserAnswer> {
    return this.send('POST', path, { ...options, body });
  }

  delete(path: string, options: RequestOptions = {}): Promise<BrowserAnswer> {
    return this.send('DELETE', path, options);
  }

  /** Sends a request. Rejects with `Inconclusive` when no complete answer arrives within 15 s. */
  async send(method: string, path: string, { headers = {}, body }: RequestOptions = {}): Promise<BrowserAnswer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const sent: Record<string, string> = { host: new URL(this.origin).host, ...this.#cookieHeader() };
    if (text !== undefined) sent['content-type'] = 'application/json';
    for (const [name, value] of Object.entries(headers)) sent[name.toLowerCase()] = value;
    if (text !== undefined) sent['content-length'] = String(Buffer.byteLength(text));
    const answer = await this.#exchange(method, path, sent, text);
    this.#keep(answer.setCookies);
    return answer;
  }

  #cookieHeader(): Record<string, string> {
    const pairs = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    return pairs.length === 0 ? {} : { cookie: pairs.join('; ') };
  }

  #exchange(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string | undefined,
  ): Promise<BrowserAnswer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) =>
        reject(new Inconclusive(`${method} ${this.origin}${path} was not answered: ${error.message}`));
      const { hostname, port } = new URL(this.origin);
      const { agent } = this.#connections;
      const outgoing = request({ method, host: hostname, port, path, headers, agent }, incoming => {
        const line = `${method} ${path} HTTP/1.1`;
        readWhole(incoming).then(text => resolve(new BrowserAnswer(line, headers, incoming, text)), fail);
      });
      const late = () => outgoing.destroy(new Error(`not within ${answerWithinMs / 1000} s`));
      const timer = setTimeout(late, answerWithinMs);
      outgoing.once('close', () => clearTimeout(timer));
      outgoing.once('error', fail);
      outgoing.end(body);
    });
  }

  #keep(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (/;\s*max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}

function readWhole(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    incoming.on('data', chunk => chunks.push(chunk));
    incoming.once('end', () => resolve(Buffer.concat(chunks).toString()));
    incoming.once('error', reject);
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    return {};
  }
}

/** One parsed Set-Cookie line. */
export interface SetCookie {
  readonly line: string;
  readonly name: string;
  readonly value: string;
  /** Names in lower case. An attribute without a value maps to the empty string. */
  readonly attributes: ReadonlyMap<string, string>;
}

export function readSetCookie(line: string): SetCookie {
  const [pair = '', ...rest] = line.split(';');
  const [name, value] = splitAtEquals(pair);
  const attributes = new Map(rest.map(splitAtEquals).map(([key, text]) => [key.toLowerCase(), text]));
  return { line, name, value, attributes };
}

function splitAtEquals(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text.trim(), ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

export const sessionCookies: ReadonlySet<string> = new Set([sessionCookie, `__Host-${sessionCookie}`]);

/** Returns the session token that an answer sets. Undefined when it sets none or clears the cookie. */
export function sessionIn({ setCookies }: BrowserAnswer): string | undefined {
  const set = setCookies.map(readSetCookie).find(({ name, value }) => sessionCookies.has(name) && value !== '');
  return set?.value;
}

/** One request and its answer as evidence in a report. It holds no request body and no complete secret. */
export interface AttackExchange {
  /** Request line and headers, one string each. */
  readonly request: readonly string[];
  /** Status line and headers, one string each. */
  readonly response: readonly string[];
  /** The beginning of the answer's body. */
  readonly body: string;
  /** The part of the answer that shows the success, if it is not in the body. */
  readonly decisive?: string;
}

const bodyCharsMax = 200;
const secretCharsShown = 10;

/** Builds the evidence of one exchange. `headers` are pairs in the order in which they were sent. */
function buildExchange(
  request: { readonly line: string; readonly headers: readonly (readonly [string, string])[] },
  response: { readonly line: string; readonly headers: readonly (readonly [string, string])[] },
  body: string,
): AttackExchange {
  return {
    request: [request.line, ...request.headers.map(describeHeader)],
    response: [response.line, ...response.headers.map(describeHeader)],
    body: body.length > bodyCharsMax ? `${body.slice(0, bodyCharsMax)}…` : body.trim(),
  };
}

function describeHeader([name, value]: readonly [string, string]): string {
  return `${name}: ${/^(set-)?cookie$/i.test(name) ? shortenCookies(value) : value}`;
}

/** Shortens each cookie value to its first characters and its length: enough to tell two values apart. */
function shortenCookies(header: string): string {
  return header.replace(/=([^;\s]+)/g, (whole, value: string) =>
    value.length <= secretCharsShown * 2 ? whole : `=${value.slice(0, secretCharsShown)}…(${value.length} characters)`,
  );
}
