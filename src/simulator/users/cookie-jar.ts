import { Cookie, CookieJar as ToughJar } from 'tough-cookie';

/** Browsers ignore a whole Set-Cookie whose name and value are longer together (RFC 6265bis §5.6). */
const nameAndValueBytesMax = 4_096;

/** The cookies of one simulated user, for one origin. */
export class CookieJar {
  readonly #origin: string;
  readonly #jar = new ToughJar(undefined, { rejectPublicSuffixes: false });
  #empty = true;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Set-Cookie lines of one answer; those that a browser would refuse are ignored. */
  store(lines: string | readonly string[]): void {
    for (const line of typeof lines === 'string' ? [lines] : lines) {
      const cookie = Cookie.parse(line);
      if (cookie === undefined || bytesOf(cookie) > nameAndValueBytesMax) continue;
      this.#jar.setCookieSync(cookie, this.#origin, { ignoreError: true });
      this.#empty = false;
    }
  }

  /** What the cookie of this name holds that goes to `/`; undefined when there is none. */
  value(name: string): string | undefined {
    if (this.#empty) return undefined;
    return this.#jar.getCookiesSync(`${this.#origin}/`).find(({ key }) => key === name)?.value;
  }

  /** The Cookie header for this path; undefined when there is none to send. */
  header(path: string): string | undefined {
    if (this.#empty) return undefined;
    return this.#jar.getCookieStringSync(this.#origin + path) || undefined;
  }
}

function bytesOf(cookie: Cookie): number {
  return Buffer.byteLength(cookie.key) + Buffer.byteLength(cookie.value);
}
