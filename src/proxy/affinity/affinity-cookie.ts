import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { checkKeys } from '../../shared/key-ring.js';
import { copyText } from '../../shared/text.js';
import type { AffinityOptions } from '../options.js';

/*
 * <version> . <key id> . <backend id> . <incarnation, base64url> . <issued, ms> . <last seen, ms> . <browser id> . <MAC>
 *
 * Version 1 has no browser id. Its issue time stands for the browser until the cookie is renewed.
 *
 * The MAC covers everything before it, as text, and is itself compared as text. So each cookie has exactly one
 * spelling. No character can be changed, not even the two unused bits at the end of the MAC's base64url.
 */
const version = '2';
const shape =
  /^[12]\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{0,172})\.(\d{1,15})\.(\d{1,15})(?:\.([A-Za-z0-9_-]{16}))?\.([A-Za-z0-9_-]{43})$/;
const browserIdChars = 16;
const valueCharsMax = version.length + 32 + 22 + 172 + 15 + 15 + browserIdChars + 43 + 7;

/** The longest incarnation, in bytes of UTF-8; `issue` throws on a longer one. */
export const incarnationBytesMax = 128;
/** A date further in the future than this comes from a broken clock, not a skewed one. */
const aheadMsMax = 24 * 60 * 60 * 1000;
/** The number of verified cookies that are cached, about 0.5 KB each. */
const verifiedMax = 16_384;
/**
 * The cache key is the end of the MAC; then the whole cookie is compared. Hashing whole cookies took a quarter of the
 * dispatcher's time.
 */
const keyChars = 16;
/** The default pool adds nothing to the cookie's name. The empty name means the same. */
const defaultPool = 'default';

export type AffinityReading =
  /** No cookie came. */
  | { readonly kind: 'none' }
  /** Genuine and in date. The caller checks whether the backend still exists in that incarnation. */
  | ({ readonly kind: 'bound' } & Claims)
  /** Genuine, but idle or bound for too long, or dated in the future. */
  | ({ readonly kind: 'expired' } & Claims)
  /**
   * `forged`: malformed, or the MAC is wrong. `unknown`: well formed, but signed by a key outside the ring (retired, or
   * of another installation).
   */
  | { readonly kind: 'bad'; readonly reason: 'forged' | 'unknown' };

/** The content of a genuine cookie. */
export interface Claims {
  readonly backendId: string;
  readonly incarnation: string;
  readonly issuedMs: number;
  readonly seenMs: number;
  /** A random id, which the cookie keeps through every renewal of the binding. */
  readonly browser: string;
}

type Bound = Extract<AffinityReading, { kind: 'bound' }>;

const none: AffinityReading = { kind: 'none' };
const forged = { kind: 'bad', reason: 'forged' } as const;
const unknown = { kind: 'bad', reason: 'unknown' } as const;

/** A key of the ring, split by purpose: the signing part never makes backend ids. */
interface Key {
  readonly id: string;
  readonly mac: KeyObject;
  readonly naming: KeyObject;
}

/** One of a pool's two cookies: the one for TLS or the one for plain HTTP. A value of one is not valid in
 * the other. */
interface Jar {
  readonly name: string;
  readonly attributes: string;
  readonly verified: RecentlyUsed<string, { readonly value: string; readonly bound: Bound }>;
}

/**
 * Signs and reads the cookie that binds a browser to one incarnation of one backend.
 *
 * A backend id is the first 128 bits of an HMAC of pool and identity (`Backend.identity`) under the newest key. It is
 * opaque without the secret, and equal on every proxy with the same secret. An id made under an older key is translated
 * when its cookie is read, so a rotation moves no browser. To rotate, put the new key last in the ring of every proxy,
 * then first. Drop the old key `absoluteMs` later.
 */
export class AffinityCookies {
  readonly #options: AffinityOptions;
  readonly #signing: Key;
  readonly #keys: ReadonlyMap<string, Key>;
  readonly #plain: Jar;
  readonly #tls: Jar;
  readonly #idsByIdentity = new Map<string, string>();
  /** Maps an id under any key of the ring to the id under the newest key. */
  readonly #currentIds = new Map<string, string>();

  /** Throws `KeyRingError` for unusable keys, `TypeError` for a pool that cannot be part of a cookie name. */
  constructor(options: AffinityOptions) {
    this.#options = options;
    const keys = checkKeys(options.keys).map(({ id, secret }) => splitKey(id, secret));
    const [newest] = keys;
    if (newest === undefined) throw new TypeError('checkKeys let an empty key ring pass');
    this.#signing = newest;
    this.#keys = new Map(keys.map(key => [key.id, key]));
    this.#plain = makeJar(options, false);
    this.#tls = makeJar(options, true);
  }

  nameFor(secure: boolean): string {
    return this.#jar(secure).name;
  }

  /** Returns the id of a backend. Call it when the backend joins: an id made under an older key is translated only if
   * its backend is known. */
  backendId(identity: string): string {
    return this.#idsByIdentity.get(identity) ?? this.#register(identity);
  }

  read(value: string | undefined, secure: boolean, nowMs: number): AffinityReading {
    if (value === undefined) return none;
    if (value.length > valueCharsMax) return forged;
    const jar = this.#jar(secure);
    const known = jar.verified.get(value.slice(-keyChars));
    const reading = known?.value === value ? known.bound : this.#verify(value, jar);
    return reading.kind === 'bound' && !this.#inDate(reading, nowMs) ? { ...reading, kind: 'expired' } : reading;
  }

  /** Builds the whole value of a Set-Cookie line. `nowMs` becomes the date last seen. */
  issue(claims: Omit<Claims, 'seenMs'>, secure: boolean, nowMs: number): string {
    const incarnation = Buffer.from(claims.incarnation);
    if (incarnation.length > incarnationBytesMax) {
      throw new RangeError(
        `an incarnation has ${incarnation.length} bytes; at most ${incarnationBytesMax} are allowed`,
      );
    }
    const { name, attributes } = this.#jar(secure);
    const backend = `${claims.backendId}.${incarnation.toString('base64url')}`;
    const browser = `${Math.trunc(claims.issuedMs)}.${Math.trunc(nowMs)}.${claims.browser}`;
    const signed = `${version}.${this.#signing.id}.${backend}.${browser}`;
    return `${name}=${signed}.${computeMac(this.#signing, name, signed)}${attributes}`;
  }

  needsRefresh(claims: { readonly seenMs: number }, nowMs: number): boolean {
    return nowMs - claims.seenMs > this.#options.idleMs / 10;
  }

  #jar(secure: boolean): Jar {
    return secure ? this.#tls : this.#plain;
  }

  #register(identity: string): string {
    const { pool } = this.#options;
    const current = computeId(this.#signing, pool, identity);
    this.#idsByIdentity.set(identity, current);
    for (const key of this.#keys.values()) this.#currentIds.set(computeId(key, pool, identity), current);
    // Cookies read before this backend was known still hold their old ids.
    this.#plain.verified.clear();
    this.#tls.verified.clear();
    return current;
  }

  #verify(value: string, jar: Jar): AffinityReading {
    const [, keyId = '', backendId = '', incarnation = '', issued = '', seen, browser, given = ''] =
      shape.exec(value) ?? [];
    if (keyId === '') return forged;
    const key = this.#keys.get(keyId);
    if (key === undefined) return unknown;
    const expected = computeMac(key, jar.name, value.slice(0, -given.length - 1));
    if (!timingSafeEqual(Buffer.from(given), Buffer.from(expected))) return forged;
    const bound: Bound = {
      kind: 'bound',
      backendId: this.#currentIds.get(backendId) ?? copyText(backendId),
      incarnation: Buffer.from(incarnation, 'base64url').toString(),
      issuedMs: Number(issued),
      seenMs: Number(seen),
      browser: copyText(browser ?? issued.padStart(browserIdChars, '0')),
    };
    const kept = copyText(value);
    jar.verified.set(kept.slice(-keyChars), { value: kept, bound });
    return bound;
  }

  #inDate({ issuedMs, seenMs }: Bound, nowMs: number): boolean {
    const { idleMs, absoluteMs } = this.#options;
    const ahead = Math.max(issuedMs, seenMs) - nowMs;
    return ahead <= aheadMsMax && nowMs - seenMs <= idleMs && nowMs - issuedMs <= absoluteMs;
  }
}

function splitKey(id: string, secret: Buffer): Key {
  const derive = (purpose: string) => createSecretKey(createHmac('sha256', secret).update(purpose).digest());
  return { id, mac: derive('holdfast affinity cookie'), naming: derive('holdfast backend id') };
}

function makeJar({ pool, sameSite }: AffinityOptions, secure: boolean): Jar {
  if (!/^[A-Za-z0-9_-]{0,32}$/.test(pool)) {
    throw new TypeError(`the pool "${pool}" cannot be part of a cookie name: expected at most 32 of A-Z a-z 0-9 _ -`);
  }
  const suffix = pool === '' || pool === defaultPool ? '' : `-${pool}`;
  // A browser drops SameSite=None without Secure.
  const secured = secure || sameSite === 'None' ? '; Secure' : '';
  return {
    name: `${secure ? '__Host-' : ''}holdfast${suffix}`,
    attributes: `; Path=/; HttpOnly${secured}; SameSite=${sameSite}`,
    verified: new RecentlyUsed(verifiedMax),
  };
}

/**
 * Signs the text with the cookie's name, and so with the pool and TLS. Names have no spaces, so the text is
 * unambiguous.
 */
function computeMac(key: Key, cookieName: string, signed: string): string {
  return createHmac('sha256', key.mac).update(`${cookieName} ${signed}`).digest('base64url');
}

function computeId(key: Key, pool: string, identity: string): string {
  const digest = createHmac('sha256', key.naming)
    .update(`${pool || defaultPool} ${identity}`)
    .digest();
  return digest.subarray(0, 16).toString('base64url');
}

/** Makes the id of a browser: 96 random bits. */
export function makeBrowserId(): string {
  return randomBytes((browserIdChars * 3) / 4).toString('base64url');
}

/**
 * A map that holds at most `entriesMax` entries and forgets those not used for long. It keeps two generations instead
 * of an exact order. A hit in the young one, the common case, is a single look-up and changes nothing.
 */
export class RecentlyUsed<K, V> {
  readonly #generationMax: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
