import { connect } from 'node:net';

export type Method = 'GET' | 'POST';

/** One request of a user through the proxy, with what came back. Plain data: a cell is computed from these. */
export interface RawExchange {
  /** Value of the header `x-exchange`. The logs of the backends name the request by it. */
  readonly id: string;
  readonly user: string;
  /** `before`: it made the state from which the others are judged. `waiting`: it only asked whether a state had come. */
  readonly phase: string;
  readonly method: Method;
  /** The name of the proxy that got it. */
  readonly to: string;
  /** The request line, the header lines and the body, as sent. */
  readonly request: readonly string[];
  readonly answer?: WireAnswer | undefined;
  /** Why there is no whole answer. */
  readonly failure?: 'refused' | 'reset' | 'closed' | 'timeout' | undefined;
}

/** One request that a backend carried out, from its log. */
export interface CarriedOut {
  readonly id: string;
  readonly backend: string;
  /** Names the process: each boot has another one. */
  readonly boot: string;
  readonly method: string;
  readonly url: string;
  /** Whether the process remembered the session of the user. */
  readonly memory: 'new' | 'known' | 'forgotten';
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
  /** The cookies that the backend itself has set in its answer. */
  readonly cookies: readonly string[];
}

/** All that one experiment has recorded. */
export interface Recording {
  readonly exchanges: readonly RawExchange[];
  readonly log: readonly CarriedOut[];
}

/** An answer as it stands on the wire. */
interface WireAnswer {
  readonly status: number;
  /** The status line and the header lines, as received. */
  readonly head: readonly string[];
  /** The body without the lines of the chunked coding. */
  readonly body: string;
  /** Whether the answer ended as its framing says: all bytes of its length, the last chunk, or the end of the
   * connection where it has neither. */
  readonly complete: boolean;
}

/** More than any answer of a backend or an error page. */
const answerBytesMax = 1024 * 1024;

/**
 * Sends the text of one request on a connection of its own, and reads the answer. It neither retries nor repairs
 * anything, so the exchange shows what was on the wire. Never rejects.
 */
export function sendRaw(
  port: number,
  text: string,
  withinMs: number,
): Promise<Pick<RawExchange, 'answer' | 'failure'>> {
  return new Promise(resolve => {
    let bytes: Buffer = Buffer.alloc(0);
    let connected = false;
    const socket = connect({ host: '127.0.0.1', port }, () => {
      connected = true;
      socket.write(text);
    });
    const timer = setTimeout(() => settle('timeout'), withinMs);
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk]).subarray(0, answerBytesMax);
      if (readAnswer(bytes, undefined) !== undefined) settle(undefined);
    });
    socket.once('end', () => settle('closed'));
    socket.once('error', () => settle(connected ? 'reset' : 'refused'));
    socket.once('close', () => settle('closed'));
    function settle(failure: RawExchange['failure']): void {
      clearTimeout(timer);
      socket.destroy();
      const answer = readAnswer(bytes, failure === 'closed' ? 'fin' : failure && 'reset');
      resolve(answer?.complete ? { answer } : { answer, failure: failure ?? 'closed' });
    }
  });
}

/**
 * Reads one answer from the bytes received so far. Returns undefined while the answer can still grow. `ended` says how
 * the connection ended: `fin` in order, `reset` by an error; undefined while it is open. Interim answers (1xx) are
 * skipped.
 */
export function readAnswer(bytes: Buffer, ended: 'fin' | 'reset' | undefined): WireAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head[0] ?? '')?.[1]);
  const rest = bytes.subarray(end + 4);
  if (status >= 100 && status < 200) return readAnswer(rest, ended);
  const { body, complete } = readBody(rest, head, status, ended);
  if (!complete && ended === undefined) return undefined;
  return { status: Number.isNaN(status) ? 0 : status, head, body: body.toString('latin1'), complete };
}

interface Body {
  readonly body: Buffer;
  readonly complete: boolean;
}

/** RFC 9112, section 6.3: the chunked coding overrides a length, and without both the end of the connection counts. */
function readBody(rest: Buffer, head: readonly string[], status: number, ended: 'fin' | 'reset' | undefined): Body {
  if (status === 204 || status === 304) return { body: Buffer.alloc(0), complete: true };
  if (/\bchunked\b/i.test(headerValues(head, 'transfer-encoding').join())) return readChunks(rest);
  const [length] = headerValues(head, 'content-length');
  if (length === undefined) return { body: rest, complete: ended === 'fin' };
  return { body: rest.subarray(0, Number(length)), complete: rest.length >= Number(length) };
}

function readChunks(rest: Buffer): Body {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return { body: Buffer.concat(chunks), complete: false };
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString('latin1'), 16);
    if (Number.isNaN(size)) return { body: Buffer.concat(chunks), complete: false };
    const start = lineEnd + 2;
    if (size === 0) return { body: Buffer.concat(chunks), complete: isTrailerComplete(rest.subarray(start)) };
    chunks.push(rest.subarray(start, start + size));
    at = start + size + 2;
    if (at > rest.length) return { body: Buffer.concat(chunks), complete: false };
  }
}

function isTrailerComplete(rest: Buffer): boolean {
  return rest.subarray(0, 2).toString('latin1') === '\r\n' || rest.includes('\r\n\r\n');
}

/** Returns the values of all header lines of this name, in lower case. */
export function headerValues(head: readonly string[], name: string): string[] {
  return head.slice(1).flatMap(line => {
    const colon = line.indexOf(':');
    return line.slice(0, colon).toLowerCase() === name ? [line.slice(colon + 1).trim()] : [];
  });
}

/** Returns the lifetimes in seconds of the cookies that the proxy has set. */
export function lifetimesOf(exchange: Pick<RawExchange, 'answer'>): number[] {
  return headerValues(exchange.answer?.head ?? [], 'set-cookie')
    .filter(line => !line.startsWith('app='))
    .flatMap(line => {
      const age = /;\s*max-age=(\d+)/i.exec(line)?.[1];
      const date = /;\s*expires=([^;]+)/i.exec(line)?.[1];
      const now = headerValues(exchange.answer?.head ?? [], 'date')[0];
      if (age !== undefined) return [Number(age)];
      if (date === undefined || now === undefined) return [];
      return [Math.round((Date.parse(date) - Date.parse(now)) / 1_000)];
    });
}

/** The cookies of one browser. */
export class RawUser {
  readonly #cookies = new Map<string, string>();

  constructor(readonly name: string) {}

  /** Takes the cookies of an answer. The last of one name wins, as in a browser. */
  take(head: readonly string[]): void {
    for (const line of headerValues(head, 'set-cookie')) {
      const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name === '') continue;
      if (/;\s*max-age=(?:0|-\d+)\s*(?:;|$)/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }

  /** Returns the cookie header; undefined when there is none. */
  get header(): string | undefined {
    const pairs = [...this.#cookies].map(([name, value]) => `${name}=${value}`);
    return pairs.length === 0 ? undefined : pairs.join('; ');
  }

  /** Returns the cookies that the app did not set: those of the proxy. */
  get ofProxy(): readonly (readonly [name: string, value: string])[] {
    return [...this.#cookies].filter(([name]) => name !== 'app');
  }

  set(name: string, value: string): void {
    this.#cookies.set(name, value);
  }
}
