import type { Failed, Keeping, Opened, Process, TooLarge } from './keeping.js';
import type { ModelStore } from './store.js';
import type { VirtualTime } from './virtual-time.js';

/** The content of a cookie. It never changes. */
interface Token {
  readonly sid: string;
  readonly user: string;
  readonly cart: readonly string[];
  readonly key: string;
  /** Time by the clock of the backend that made it. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}

export interface BrowserKind {
  readonly strategy: 'jwt' | 'sealed';
  /** Age at which an access token must be exchanged at the store. */
  readonly lifeMs: number;
  /** Extra bytes in every session. */
  readonly ballastBytes: number;
}

const dataBytesMax = { jwt: 1_024, sealed: 2_528 };
const headBytes = { jwt: 520, sealed: 240 };
/** Tolerated difference between two clocks. */
const toleranceMs = 5_000;

/** Keeps each session in its cookie. A store lists the existing sessions and the ended ones. */
export class KeepingInBrowser implements Keeping {
  readonly #kind: BrowserKind;
  readonly #list: ModelStore;
  readonly #time: VirtualTime;
  readonly #tokens = new Map<string, Token>();
  readonly #tellEnded: (sid: string, by: Process) => void;
  #ids = 0;

  /** `tellEnded` notifies the other backends of an ended session. */
  constructor(kind: BrowserKind, list: ModelStore, time: VirtualTime, tellEnded: (sid: string, by: Process) => void) {
    this.#kind = kind;
    this.#list = list;
    this.#time = time;
    this.#tellEnded = tellEnded;
  }

  open(by: Process, cookie: string | undefined): Opened {
    const token = this.#tokenOf(cookie);
    if (token === undefined) return { kind: 'none', why: 'absent' };
    const nowMs = this.#time.now() + by.clockMs;
    const isEarly = token.issuedMs > nowMs + toleranceMs;
    const isSealed = this.#kind.strategy === 'sealed';
    if (!by.keys.includes(token.key) || (isSealed && isEarly)) return { kind: 'none', why: 'forged', cookie: '' };
    if (by.revoked.has(token.sid)) return { kind: 'none', why: 'revoked', cookie: '' };
    if (isSealed || (!isEarly && nowMs < token.expiresMs)) return { kind: 'session', record: token };
    return this.#exchange(by, token);
  }

  begin(by: Process, user: string, oldCookie: string | undefined): { kind: 'begun'; cookie: string } | Failed {
    this.#ids += 1;
    const sid = `sid-${this.#ids}`;
    const asked = this.#list.ask(by.name, sid);
    if (!('server' in asked)) return { kind: 'failed', afterMs: asked.failsAfterMs };
    if (oldCookie !== undefined) this.end(by, oldCookie);
    asked.server.put(sid, { user, cart: [] }, this.#time.now());
    return { kind: 'begun', cookie: this.#made(by, { sid, user, cart: [] }) };
  }

  change(
    by: Process,
    cookie: string | undefined,
    change: (cart: readonly string[]) => readonly string[],
  ): Opened | TooLarge {
    const opened = this.open(by, cookie);
    const token = this.#tokenOf(opened.kind === 'session' ? (opened.cookie ?? cookie) : undefined);
    if (opened.kind !== 'session' || token === undefined) return opened;
    const cart = change(token.cart);
    if (this.#dataBytes(cart) > dataBytesMax[this.#kind.strategy]) return { kind: 'too-large' };
    return { kind: 'session', record: { user: token.user, cart }, cookie: this.#made(by, { ...token, cart }) };
  }

  end(by: Process, cookie: string | undefined): { kind: 'ended' } | Failed {
    const opened = this.open(by, cookie);
    if (opened.kind === 'failed') return opened;
    const token = this.#tokenOf(cookie);
    if (opened.kind === 'none' || token === undefined) return { kind: 'ended' };
    const asked = this.#list.ask(by.name, token.sid);
    if (!('server' in asked)) return { kind: 'failed', afterMs: asked.failsAfterMs };
    asked.server.put(token.sid, undefined, this.#time.now());
    by.revoked.add(token.sid);
    this.#tellEnded(token.sid, by);
    return { kind: 'ended' };
  }

  cookieBytes(cookie: string): number {
    const data = this.#dataBytes(this.#tokenOf(cookie)?.cart ?? []);
    return headBytes[this.#kind.strategy] + Math.ceil((data * 4) / 3);
  }

  /** Exchanges the refresh token for a new access token. */
  #exchange(by: Process, token: Token): Opened {
    const asked = this.#list.ask(by.name, token.sid);
    if (!('server' in asked)) return { kind: 'failed', afterMs: asked.failsAfterMs };
    if (!asked.server.entries.has(token.sid)) return { kind: 'none', why: 'unknown', cookie: '' };
    return { kind: 'session', record: token, cookie: this.#made(by, { ...token, expiresMs: undefined }) };
  }

  /** Makes a cookie. A changed session keeps its time of expiry. */
  #made(
    by: Process,
    about: Pick<Token, 'sid' | 'user' | 'cart'> & { readonly expiresMs?: number | undefined },
  ): string {
    this.#ids += 1;
    const nowMs = this.#time.now() + by.clockMs;
    const key = by.keys[0] ?? '';
    const { sid, user, cart, expiresMs = nowMs + this.#kind.lifeMs } = about;
    const head = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid: key })).toString('base64url');
    const cookie = this.#kind.strategy === 'jwt' ? `${head}.${this.#ids}.x~y` : `v1.${key}.${this.#ids}`;
    this.#tokens.set(cookie, { sid, user, cart, key, issuedMs: nowMs, expiresMs });
    return cookie;
  }

  #tokenOf(cookie: string | undefined): Token | undefined {
    return cookie === undefined ? undefined : this.#tokens.get(cookie);
  }

  #dataBytes(cart: readonly string[]): number {
    return this.#kind.ballastBytes + cart.reduce((sum, sku) => sum + sku.length + 5, 20);
  }
}
