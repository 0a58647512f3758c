import { Agent, type IncomingMessage, request } from 'node:http';
import { Inconclusive } from './errors.js';
import { type Exchange, shownExchange } from './exchange.js';

export interface Answer {
  readonly status: number;
  /** Names in lower case; of several with one name all values, joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** The Set-Cookie lines as they came. */
  readonly setCookies: readonly string[];
  readonly text: string;
  /** Empty when the body is no JSON object. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly exchange: Exchange;
}

export interface RequestOptions {
  /** Go over the wire as they are; `cookie` takes the place of the jar's. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless it is text already. */
  readonly body?: unknown;
}

export const sessionCookie = 'session';
export const preLoginCookie = 'pre-login';

const answerWithinMs = 15_000;
const connectionsMax = 64;

/** The connections that all browsers of one attacked system share. */
export class Wires {
  readonly agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });

  close(): void {
    this.agent.destroy();
  }
}

/**
 * A browser as an attacker has it: it keeps cookies by name, sends whatever it is told, follows nothing, and remembers
 * every exchange in its answer. `cookies` may be changed freely.
 */
export class Browser {
  /** Where it asks: the proxy, or one backend past it. */
  readonly origin: string;
  readonly cookies: Map<string, string>;
  readonly #wires: Wires;

  constructor(wires: Wires, origin: string, cookies: ReadonlyMap<string, string> = new Map()) {
    this.#wires = wires;
    this.origin = origin;
    this.cookies = new Map(cookies);
  }

  /** Somebody else with a copy of these cookies, who may ask elsewhere. */
  copy(origin = this.origin): Browser {
    return new Browser(this.#wires, origin, this.cookies);
  }

  /** Somebody else who has nothing but this token, and asks at `origin`. */
  thief(token = this.token, origin = this.origin): Browser {
    return new Browser(this.#wires, origin, new Map([[sessionCookie, token]]));
  }

  /** The value of the session cookie. Throws `Inconclusive` when there is none. */
  get token(): string {
    const token = this.cookies.get(sessionCookie);
    if (token === undefined) throw new Inconclusive('there is no session cookie where one was expected');
    return token;
  }

  get(path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.send('GET', path, options);
  }

  post(path: string, body: unknown = {}, options: RequestOptions = {}): Promise<Answer> {
    return this.send('POST', path, { ...options, body });
  }

  delete(path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.send('DELETE', path, options);
  }

  /** Rejects with `Inconclusive` when no whole answer comes within 15 s. */
  async send(method: string, path: string, { headers = {}, body }: RequestOptions = {}): Promise<Answer> {
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

  #exchange(method: string, path: string, headers: Record<string, string>, body: string | undefined): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) =>
        reject(new Inconclusive(`${method} ${this.origin}${path} was not answered: ${error.message}`));
      const { hostname, port } = new URL(this.origin);
      const { agent } = this.#wires;
      const signal = AbortSignal.timeout(answerWithinMs);
      const outgoing = request({ method, host: hostname, port, path, headers, agent, signal }, incoming => {
        readWhole(incoming).then(
          text => resolve(answerOf(`${method} ${path} HTTP/1.1`, headers, incoming, text)),
          fail,
        );
      });
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

async function readWhole(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function answerOf(line: string, headers: Record<string, string>, incoming: IncomingMessage, text: string): Answer {
  const { statusCode: status = 0, statusMessage = '', rawHeaders } = incoming;
  const pairs = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
  return {
    status,
    headers: Object.fromEntries(
      Object.entries(incoming.headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]),
    ),
    setCookies: incoming.headers['set-cookie'] ?? [],
    text,
    json: parsed(text),
    exchange: shownExchange(
      { line, headers: Object.entries(headers) },
      { line: `HTTP/1.1 ${status} ${statusMessage}`.trim(), headers: pairs },
      text,
    ),
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    return {};
  }
}
