import { Cookie, CookieJar as ToughJar } from 'tough-cookie';
import type { OperationKind } from '../history/records.js';
import type { HttpClient } from './http-client.js';
import type { AppReply, Journey, JourneyRequest } from './journey.js';

/** The credentials of a user at one moment: a request as it would have been sent then, and its Cookie header. */
export interface HeldCredentials {
  readonly request: JourneyRequest;
  readonly cookie: string | undefined;
}

const noCarriedValues: ReadonlyMap<string, string> = new Map();

/**
 * The browser of one simulated user. It keeps cookies, and the values that pages gave it to carry. It knows no plan and
 * judges nothing.
 */
export class UserBrowser {
  readonly #user: string;
  readonly #journey: Journey;
  readonly #client: Pick<HttpClient, 'send'>;
  readonly #jar: CookieJar;
  readonly #carried = new Map<string, string>();
  #sessionAtLogin: string | undefined;

  /** `ownCookie`: a cookie that it has from the start, with the name of its user. */
  constructor(user: string, origin: string, journey: Journey, client: Pick<HttpClient, 'send'>, ownCookie?: string) {
    this.#user = user;
    this.#journey = journey;
    this.#client = client;
    this.#jar = new CookieJar(origin);
    if (ownCookie !== undefined) this.#jar.store(`${ownCookie}=${user}; Path=/`);
  }

  /**
   * Does one operation: requests the page before it if the journey has one, then sends the request. If that page fails,
   * the request is not sent, and the reply of the page is returned. If a value to carry is missing, the reply says so.
   * If the request after it fails, the reply is not complete and says so: later requests would lack its value.
   * `slowMs`: how long the app should take to process the request, if the app supports that.
   */
  async ask(kind: OperationKind, token: string | undefined, slowMs?: number): Promise<AppReply> {
    const before = this.#journey.before?.(kind, this.#user, token, this.#carried);
    const page = before === undefined ? undefined : await this.#send(kind, before);
    if (page !== undefined && !this.#isPage(kind, page)) return { ...page, handedOver: false };
    if (kind === 'login') this.#sessionAtLogin = this.session;
    const request = this.#journey.request(kind, this.#user, token, this.#carried);
    const isSlowed = slowMs !== undefined && typeof request !== 'string';
    const reply = await this.#send(kind, isSlowed ? (this.#journey.slowDown?.(request, slowMs) ?? request) : request);
    const isDone = reply.complete && this.#journey.isOk(kind, reply);
    const after = isDone ? this.#journey.after?.(kind, this.#user, this.#carried) : undefined;
    return after === undefined ? reply : combineReplies(reply, await this.#send(kind, after));
  }

  /**
   * Returns the request that such an operation would send now, with cookies and carried values such as a bearer token.
   * Undefined when it holds nothing by which the app could recognise the user.
   */
  snapshot(kind: OperationKind): HeldCredentials | undefined {
    const request = this.#journey.request(kind, this.#user, undefined, this.#carried);
    if (typeof request === 'string') return undefined;
    const cookie = this.#jar.header(request.path);
    const carries = typeof this.#journey.request(kind, this.#user, undefined, noCarriedValues) === 'string';
    return cookie === undefined && !carries ? undefined : { request, cookie };
  }

  /** Sends the request of an earlier snapshot. It keeps nothing from the answer. */
  askAgain({ request, cookie }: HeldCredentials): Promise<AppReply> {
    return this.#client.send(request, cookie);
  }

  /** The session cookie that the latest login was sent with, after the page before it. */
  get sessionAtLogin(): string | undefined {
    return this.#sessionAtLogin;
  }

  /** The session cookie. Undefined when there is none, or when its name is unknown. */
  get session(): string | undefined {
    const values = this.#journey.sessionCookies?.map(name => this.#jar.value(name));
    return values?.find(value => value !== undefined);
  }

  /**
   * Restores the session cookie from an earlier Cookie header, unless the browser has a session cookie. This imitates a
   * browser that ignored the logout, or one in which an attacker planted the cookie. A sound app rejects the cookie and
   * issues another at the next login.
   */
  restoreSession(header: string | undefined): void {
    if (this.session !== undefined || header === undefined) return;
    const pairs = header.split('; ').map(pair => [pair.slice(0, pair.indexOf('=')), pair] as const);
    const found = pairs.find(([name]) => this.#journey.sessionCookies?.includes(name));
    if (found !== undefined) this.#jar.store(`${found[1]}; Path=/`);
  }

  async #send(kind: OperationKind, request: JourneyRequest | string): Promise<AppReply> {
    if (typeof request === 'string') return replyNotSent(request);
    const reply = await this.#client.send(request, this.#jar.header(request.path));
    const cookies = reply.headers['set-cookie'];
    if (cookies !== undefined) this.#jar.store(cookies);
    for (const [name, value] of this.#journey.carry?.(kind, reply, name => this.#jar.value(name)) ?? [])
      this.#carried.set(name, value);
    return reply;
  }

  /** Whether the page succeeded. Only the page before a login may be anonymous. */
  #isPage(kind: OperationKind, page: AppReply): boolean {
    if (!page.complete || page.status === undefined || page.status >= 500) return false;
    return kind === 'login' || !this.#journey.isAnonymous(kind, page);
  }
}

/** How the error begins when the request after a step fails. */
export const afterFailed = 'the request after it failed:';

function combineReplies(reply: AppReply, after: AppReply): AppReply {
  const { complete, status = 0, error } = after;
  if (complete && status >= 200 && status < 400) return reply;
  return { ...reply, complete: false, error: `${afterFailed} ${complete ? `status ${status}` : error}` };
}

async function replyNotSent(error: string): Promise<AppReply> {
  return { handedOver: false, complete: false, headers: {}, body: '', error };
}

/** If name and value together are longer than this, browsers ignore the whole Set-Cookie (RFC 6265bis §5.6). */
const nameAndValueBytesMax = 4_096;
/** Paths whose cookies a jar remembers. A path can name an item, so there can be as many paths as items. */
const pathsKeptMax = 100;

/**
 * The cookies of one simulated user, for one origin. It looks up each path once: the cookies for a path change only when
 * an answer sets one, or when one expires.
 */
export class CookieJar {
  readonly #origin: string;
  readonly #jar = new ToughJar(undefined, { rejectPublicSuffixes: false });
  readonly #found = new Map<string, readonly Cookie[]>();
  /** The time of the first expiry. Until then, what was found stays right. */
  #expiresAtMs = Number.POSITIVE_INFINITY;
  #empty = true;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Stores the Set-Cookie lines of one answer. It ignores lines that a browser would refuse. */
  store(lines: string | readonly string[]): void {
    for (const line of typeof lines === 'string' ? [lines] : lines) {
      const cookie = Cookie.parse(line);
      if (cookie === undefined || bytesOf(cookie) > nameAndValueBytesMax) continue;
      this.#jar.setCookieSync(cookie, this.#origin, { ignoreError: true });
      this.#expiresAtMs = Math.min(this.#expiresAtMs, expiryOf(cookie));
      this.#found.clear();
      this.#empty = false;
    }
  }

  /** Returns the value of the cookie that would be sent to `/` under this name. Undefined when there is none. */
  value(name: string): string | undefined {
    return this.#cookiesFor('/').find(({ key }) => key === name)?.value;
  }

  /** Returns the Cookie header for this path. Undefined when there is no cookie to send. */
  header(path: string): string | undefined {
    const pairs = this.#cookiesFor(path).map(cookie => cookie.cookieString());
    return pairs.length === 0 ? undefined : pairs.join('; ');
  }

  #cookiesFor(path: string): readonly Cookie[] {
    if (this.#empty) return [];
    const known = Date.now() < this.#expiresAtMs ? this.#found.get(path) : undefined;
    if (known !== undefined) return known;
    const found = this.#jar.getCookiesSync(this.#origin + path);
    if (this.#found.size < pathsKeptMax) this.#found.set(path, found);
    return found;
  }
}

/** Returns when a later look-up may find the cookie expired. One that has expired already only deletes. */
function expiryOf(cookie: Cookie): number {
  const expiresMs = cookie.expiryTime() ?? Number.POSITIVE_INFINITY;
  return expiresMs > Date.now() ? expiresMs : Number.POSITIVE_INFINITY;
}

function bytesOf(cookie: Cookie): number {
  return Buffer.byteLength(cookie.key) + Buffer.byteLength(cookie.value);
}
