import { checkKeys, type KeyRing, parseKeyRing } from '../../shared/key-ring.js';
import { storeDescriptors } from '../../shared/stores.js';
import { unknownName } from '../../shared/unknown-name.js';
import type { DescribeClient } from '../client.js';
import type { CookieOptions } from '../cookie.js';
import { stores, strategies } from '../registry.js';
import { defaultLimits, type SessionLimits } from '../session.js';
import type { SessionStore, StoreEntry, StoreTransition } from '../session-store.js';
import type { OpenOptions } from '../sessions.js';

/** The options of `sessions`. Each has a default, except `store`. */
export interface SessionsOptions {
  /** Where sessions are kept: the name of a store, or a store of your own. */
  readonly store: keyof typeof stores | StoreEntry;
  /** The address of the store's server, such as `redis://127.0.0.1:6379`. A store without a server, such as `memory`,
   * has none. */
  readonly url?: string | undefined;
  /**
   * How a cookie becomes a session. `reference`: the cookie is a random id, and the store has the session. `sealed`: the
   * cookie is the session, encrypted. `jwt`: it is the session, signed. Default: `reference`.
   */
  readonly strategy?: keyof typeof strategies;
  readonly cookie?: CookieOptions;
  /** The keys of `sealed` and `jwt`, the newest first: `id:hex,id:hex`, or a function that returns the present ones. Each
   * process of the app needs the same keys. */
  readonly keys?: string | KeyRing | (() => KeyRing);
  readonly limits?: Partial<SessionLimits>;
  /** Maximum number of sessions of one user. One more login ends the oldest. Default: no maximum. */
  readonly maxPerUser?: number;
  /** Returns the address and the user agent that `Sessions.list` shows for a session. At most 64 and 256 characters are
   * kept, for as long as the session is listed. Undefined: nothing is kept. Default: the address of the connection and
   * the `User-Agent` header. Behind a proxy, take the address from a header that the proxy sets. */
  readonly describeClient?: DescribeClient | undefined;
  /** Stands in front of every key in the store, so that two apps share one server. Default: `holdfast`. */
  readonly keyPrefix?: string;
  /** The `iss` of the tokens of `jwt`. Default: `holdfast`. */
  readonly issuer?: string;
  /** The `aud` of the tokens of `jwt` is this, a colon, and the name of the cookie. Default: `holdfast`. */
  readonly audience?: string;
  /** `sealed` and `jwt`: while the list of revoked sessions is older than this, requests are answered with 503. Default:
   * no limit, and a process that cannot reach the store honours ended sessions. */
  readonly feedAgeMaxMs?: number | undefined;
  /** Receives every error that is not a `SessionError`. Default: writes it to stderr. */
  readonly onError?: (error: unknown) => void;
  /** Called once when the store is lost, and once when it is back. Default: writes it to stderr. */
  readonly onTransition?: (transition: StoreTransition) => void;
  /** Called when a setting of the store's server endangers what is promised. Default: writes it to stderr. */
  readonly onWarning?: (warning: string) => void;
  /** Returns the present time in milliseconds. For tests. */
  readonly now?: () => number;
  /** Wraps the store. For tests. */
  readonly decorateStore?: (store: SessionStore) => SessionStore;
  /** False: a token of `sealed` and `jwt` stays valid until it expires, also after a logout. For comparison only. */
  readonly revocation?: boolean;
}

/** Checks the options. Throws a `TypeError` that says what is wrong and what was expected. It never shows a secret. */
export function toOpenOptions(options: SessionsOptions): OpenOptions {
  const problem = problemIn(options, 'option', checks) ?? problemBetween(options);
  if (problem !== undefined) throw new TypeError(problem);
  const { url: storeUrl, keys, strategy = 'reference', issuer, audience, ...others } = options;
  const tokenNames = { ...(issuer === undefined ? {} : { issuer }), ...(audience === undefined ? {} : { audience }) };
  return {
    onTransition: writeTransition,
    ...others,
    storeUrl,
    strategy,
    tokenNames,
    ...(keys === undefined ? {} : { keys: toKeys(keys) }),
  };
}

function writeTransition({ up, why }: StoreTransition): void {
  console.error(`the session store is ${up ? 'back' : 'lost'}: ${why}`);
}

function toKeys(keys: NonNullable<SessionsOptions['keys']>): () => KeyRing {
  if (typeof keys === 'function') {
    const ring: unknown = keys();
    if (!Array.isArray(ring))
      throw new TypeError('the option "keys" cannot be used: expected a function that returns the ring');
    checkKeys(ring);
    return keys;
  }
  const ring = typeof keys === 'string' ? parseKeyRing(keys) : checkKeys(keys);
  return () => ring;
}

/** Returns what is wrong with a value. Undefined: nothing. */
type Check = (value: unknown) => string | undefined;
type Checks = Readonly<Record<string, Check>>;

const checkText: Check = value => (typeof value === 'string' && value !== '' ? undefined : 'expected a text');
const checkFlag: Check = value => (typeof value === 'boolean' ? undefined : 'expected true or false');
const checkFunction: Check = value => (typeof value === 'function' ? undefined : 'expected a function');
const checkCount: Check = value =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'expected a whole number from 1';

function checkShape(shape: RegExp, expected: string): Check {
  return value => (typeof value === 'string' && shape.test(value) ? undefined : `expected ${expected}`);
}

function checkOneOf(kind: string, names: readonly string[]): Check {
  return value => (names.includes(String(value)) ? undefined : unknownName(kind, String(value), names));
}

function checkParts(checks: Checks): Check {
  return value => problemIn(value, 'field', checks);
}

/** A sealed cookie has room for a duration of 115 days. */
const limitMsMax = 100 * 86_400_000;
const checkDuration: Check = value =>
  checkCount(value) === undefined && Number(value) <= limitMsMax
    ? undefined
    : `expected a whole number of milliseconds from 1 to ${limitMsMax} (100 days)`;
const limitChecks = { idleMs: checkDuration, absoluteMs: checkDuration };

const checks: Readonly<Record<keyof SessionsOptions, Check>> = {
  store: checkStore,
  url: checkText,
  strategy: checkOneOf('strategy', Object.keys(strategies)),
  cookie: checkParts({
    // `__Host-` and `__Secure-` mean something to browsers.
    name: checkShape(/^(?!__)[\w.-]{1,32}$/, '1 to 32 letters, digits, "_", "." or "-"; its prefix is added by itself'),
    domain: checkShape(/^(?=.{1,253}$)[a-z\d-]+(?:\.[a-z\d-]+)*$/i, 'a host name such as "example.com"'),
    path: checkShape(/^\/[\w./~-]*$/, 'a path that begins with "/"'),
    secure: checkFlag,
    sameSite: checkOneOf('value', ['lax', 'strict', 'none']),
    partitioned: checkFlag,
  } satisfies Record<keyof CookieOptions, Check>),
  keys: value => (['string', 'object', 'function'].includes(typeof value) ? undefined : 'expected "id:hex,id:hex"'),
  limits: checkParts({
    ...limitChecks,
    dataBytesMax: checkCount,
    storeDeadlineMs: checkCount,
    remember: checkParts(limitChecks),
  } satisfies Record<keyof SessionLimits, Check>),
  maxPerUser: checkCount,
  describeClient: checkFunction,
  keyPrefix: checkShape(/^[\w.-]{1,32}$/, '1 to 32 letters, digits, "_", "." or "-"'),
  issuer: checkText,
  audience: checkText,
  feedAgeMaxMs: checkCount,
  onError: checkFunction,
  onTransition: checkFunction,
  onWarning: checkFunction,
  now: checkFunction,
  decorateStore: checkFunction,
  revocation: checkFlag,
};

function checkStore(value: unknown): string | undefined {
  if (isStoreEntry(value)) return undefined;
  const names = Object.keys(stores);
  if (typeof value === 'string') return checkOneOf('store', names)(value);
  return `expected one of ${names.join(', ')}, or a store of your own: an object with capabilities and open`;
}

/** Options of other session libraries, and what to type instead. */
const foreign: Readonly<Record<string, string>> = {
  secret: 'It is called "keys", and only "sealed" and "jwt" need it.',
  ttl: 'It is called "limits.idleMs".',
  maxAge: 'Set limits.idleMs and limits.absoluteMs. For a cookie that outlives the browser, see limits.remember.',
  expires: 'Set limits.idleMs and limits.absoluteMs.',
  prefix: 'It is called "keyPrefix".',
  client: 'Leave it out, and give the address of the server as "url".',
  httpOnly: 'Leave it out. The cookie is always HttpOnly.',
  resave: 'Leave it out. Only changes are saved.',
  saveUninitialized: 'Leave it out. A session begins with its first change.',
  rolling: 'Leave it out. Each request of a user moves the idle limit.',
};

/** Returns the first problem in an object of options. */
function problemIn(given: unknown, kind: string, known: Checks): string | undefined {
  if (typeof given !== 'object' || given === null) return 'expected an object';
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(known, name) ? known[name] : undefined;
    const advice = Object.hasOwn(foreign, name) ? foreign[name] : undefined;
    if (check === undefined && advice !== undefined) return `there is no ${kind} "${name}". ${advice}`;
    if (check === undefined) return unknownName(kind, name, Object.keys(known));
    const problem = value === undefined ? undefined : check(value);
    if (problem !== undefined) return `the ${kind} "${name}" cannot be used: ${problem}`;
  }
  return undefined;
}

/** The stores that need the address of a server, each with an example of one. */
const servers: Readonly<Record<string, { readonly example: string }>> = storeDescriptors;

/** Returns the first problem between options that are right by themselves. */
function problemBetween({
  store,
  url,
  strategy = 'reference',
  keys,
  cookie = {},
  limits = {},
}: SessionsOptions): string | undefined {
  if (store === undefined) return `the option "store" is missing. Known: ${Object.keys(stores).join(', ')}`;
  const server = typeof store === 'string' ? servers[store] : undefined;
  if (server !== undefined && url === undefined)
    return `the store "${store}" needs its address, such as sessions({ store: '${store}', url: '${server.example}' })`;
  if (typeof store === 'string' && server === undefined && url !== undefined)
    return `the store "${store}" has no address: leave "url" out, or name the store of this address`;
  if (strategy !== 'reference' && store !== 'memory' && keys === undefined)
    return `the strategy "${strategy}" needs the keys that all processes share: keys: process.env.SESSION_KEYS`;
  if (cookie.secure === false && (cookie.sameSite === 'none' || cookie.partitioned === true))
    return 'a cookie with sameSite "none" or partitioned needs TLS: leave "secure" out, or set it to true';
  return problemInLimits(limits);
}

/** Returns the problem of a limit that has no effect because another one is shorter; undefined when there is none. */
function problemInLimits({ remember, idleMs = 0, absoluteMs }: Partial<SessionLimits>): string | undefined {
  const absolute = absoluteMs ?? defaultLimits.absoluteMs;
  if (absoluteMs === undefined && idleMs > absolute)
    return `limits.idleMs is ${idleMs}, and limits.absoluteMs is ${absolute}: set it too`;
  if (remember === undefined) return undefined;
  if (remember.idleMs === undefined || remember.absoluteMs === undefined)
    return 'limits.remember needs both: idleMs and absoluteMs';
  if (remember.absoluteMs <= absolute)
    return `limits.remember.absoluteMs is ${remember.absoluteMs}: it must be longer than limits.absoluteMs, which is ${absolute}`;
  return remember.idleMs > remember.absoluteMs ? 'limits.remember.idleMs is longer than its absoluteMs' : undefined;
}

function isStoreEntry(value: unknown): value is StoreEntry {
  if (typeof value !== 'object' || value === null || !('open' in value) || !('capabilities' in value)) return false;
  const { open, capabilities } = value;
  if (typeof open !== 'function' || typeof capabilities !== 'object' || capabilities === null) return false;
  return ['compareAndSet', 'durability', 'revocationLagMs', 'dataBytesMax'].every(name => name in capabilities);
}
