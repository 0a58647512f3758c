import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { generateKeyRing, type KeyRing } from '../shared/key-ring.js';
import { unknownName } from '../shared/unknown-name.js';
import type { AppSession } from './app/app-session.js';
import {
  AppCookies,
  type AppListener,
  type AppSettings,
  buildFailureReply,
  listenWith,
  openAppSession,
} from './app/open-app-session.js';
import { type DescribeClient, describeClient, limitClient } from './client.js';
import { type CookieOptions, readCookie, SessionCookie } from './cookie.js';
import { SessionError } from './errors.js';
import { stores, strategies } from './registry.js';
import { type Handler, type Reply, RequestSession } from './request-session.js';
import { defaultLimits, type SessionLimits } from './session.js';
import type { SessionStore, StoreEntry, StoreSettings, StoreTransition } from './session-store.js';
import type { SessionStrategy, TokenNames } from './session-strategy.js';

/** The sessions of an app. `sessions` opens them. */
export interface Sessions {
  /**
   * Opens the session of a request. Call it before anything is written to `response`: it holds back the head until the
   * session is committed. Rejects with `StoreUnavailable` (503) if the store is unreachable.
   */
  open(request: IncomingMessage, response: ServerResponse): Promise<AppSession>;
  /** Returns a listener for `createServer` of `node:http`. An error of the handler becomes a failure reply: 503 with
   * Retry-After when the store is unreachable. */
  listener(handler: AppListener): RequestListener;
  /** Runs a handler that returns its reply as a value, and sends the reply. Never rejects: a `SessionError` becomes its
   * status, any other error becomes 500. Headers that were set on `response` before are kept. */
  respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void>;
  /** Counts of events since the start, by name: `opened`, `absent`, `unknown`, `begun`, `StoreUnavailable` … */
  readonly counts: Readonly<Record<string, number>>;
  /** Returns the age of the list of revoked sessions that this process uses. Undefined: it uses none. */
  feedAgeMs(): number | undefined;
  /** Resolves with true as soon as sessions can be served, with false after `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Returns the live sessions of a user, at most 1,000. */
  readonly list: SessionStrategy['list'];
  /** Ends the session of a user with this handle. Resolves with false if there is none. */
  readonly endOne: SessionStrategy['endOne'];
  /** Ends every session of a user. Resolves with their number, at most 1,000. */
  readonly endAll: SessionStrategy['endAll'];
  /** Ends every session of every user. */
  readonly endEveryone: SessionStrategy['endEveryone'];
  /** Closes the connections to the store. A second call is a no-op. */
  close(): Promise<void>;
}

/** Throws a `TypeError` for what is not the result of `sessions`, such as its promise. */
export function assertSessions(kept: unknown, adapter: string): void {
  if (typeof kept === 'object' && kept !== null && 'open' in kept) return;
  throw new TypeError(`${adapter}: expected the sessions that are open: ${adapter}(await sessions({ … }))`);
}

export interface OpenOptions {
  /** A key of `strategies` in `registry.ts`. */
  readonly strategy: string;
  /** Stands in front of every key in the store. Default: `holdfast`. */
  readonly keyPrefix?: string;
  /** The names in the tokens of `jwt`. */
  readonly tokenNames?: TokenNames;
  /** A key of `stores` in `registry.ts`, or a store that is in no registry. */
  readonly store: string | StoreEntry;
  readonly storeUrl: string | undefined;
  readonly limits?: Partial<SessionLimits>;
  /** Returns the keys for signed or sealed tokens; called for each use. Default: one fresh key that only this process
   * has. */
  readonly keys?: () => KeyRing;
  /** False disables revocation: a token stays valid until it expires. For comparison only. */
  readonly revocation?: boolean;
  /** While the list of revoked sessions is older, requests are answered with 503. Default: no limit. */
  readonly feedAgeMaxMs?: number | undefined;
  /** Wraps the store: a list that processes share, or a planted defect. */
  readonly decorateStore?: (store: SessionStore) => SessionStore;
  readonly now?: () => number;
  readonly cookie?: CookieOptions;
  /** Maximum number of sessions of one user. Default: no maximum. */
  readonly maxPerUser?: number;
  /** Returns the client that the list of sessions shows. Default: the address of the connection and `User-Agent`. */
  readonly describeClient?: DescribeClient | undefined;
  /** Receives every error that is not a `SessionError`. Default: writes it to stderr. */
  readonly onError?: (error: unknown) => void;
  /** Called when the store is lost and when it is back. */
  readonly onTransition?: (transition: StoreTransition) => void;
  /** Called when a setting of the store's server endangers what is promised. Default: writes it to stderr. */
  readonly onWarning?: (warning: string) => void;
}

/** Opens the sessions. Rejects for an unknown name, and for an address that the store cannot use. */
export async function openSessions(options: OpenOptions): Promise<Sessions> {
  const [strategy, entry] = await Promise.all([
    pick('strategy', options.strategy, strategies),
    typeof options.store === 'string' ? pick('session store', options.store, stores) : options.store,
  ]);
  if (options.keyPrefix !== undefined && entry.insteadOfKeyPrefix !== undefined)
    throw new Error(`${nameStore(options)} has no key prefix: give each app ${entry.insteadOfKeyPrefix}`);
  const { now = Date.now, onError = console.error, onTransition, storeUrl: url } = options;
  const { onWarning = console.error, feedAgeMaxMs, tokenNames } = options;
  const wanted = { ...defaultLimits, ...options.limits };
  const limits = { ...wanted, dataBytesMax: Math.min(wanted.dataBytesMax, entry.capabilities.dataBytesMax) };
  const settings: StoreSettings = {
    ...{ url, deadlineMs: limits.storeDeadlineMs, keyPrefix: options.keyPrefix, now, onTransition, onWarning },
  };
  const { keys = generateOnce(), revocation = true, decorateStore = store => store } = options;
  const needsFeed = revocation && strategy.needsFeed;
  if (needsFeed && entry.openFeed === undefined) throw new Error(withoutFeed(options));
  const store = decorateStore(entry.open(settings));
  // It reports no transitions: the store uses the same server and reports them.
  const feed = needsFeed ? entry.openFeed?.({ ...settings, onTransition: undefined }) : undefined;
  const parts = feed === undefined ? [store] : [store, feed];
  return serveSessions({
    strategy: strategy.open({ store, feed, feedAgeMaxMs, tokenNames, keys, limits, now }),
    ready: async withinMs => (await Promise.all(parts.map(part => part.ready(withinMs)))).every(Boolean),
    cookie: options.cookie,
    limits,
    ...(options.maxPerUser === undefined ? {} : { maxPerUser: options.maxPerUser }),
    describeClient: options.describeClient,
    now,
    onError,
  });
}

function withoutFeed(options: OpenOptions): string {
  return `the strategy "${options.strategy}" needs a store with a list of revoked tokens; ${nameStore(options)} has none`;
}

function nameStore({ store }: OpenOptions): string {
  return typeof store === 'string' ? `the store "${store}"` : 'this store';
}

function generateOnce(): () => KeyRing {
  const ring = generateKeyRing();
  return () => ring;
}

async function pick<Entry>(
  kind: string,
  name: string,
  registry: Readonly<Record<string, () => Promise<Entry>>>,
): Promise<Entry> {
  const load = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (load === undefined) throw new Error(unknownName(kind, name, Object.keys(registry)));
  return load();
}

interface SessionsSettings {
  readonly strategy: SessionStrategy;
  readonly ready: (withinMs: number) => Promise<boolean>;
  readonly cookie?: CookieOptions | undefined;
  readonly limits?: SessionLimits;
  readonly maxPerUser?: number;
  readonly describeClient?: DescribeClient | undefined;
  readonly now?: () => number;
  readonly onError: (error: unknown) => void;
}

export function serveSessions(settings: SessionsSettings): Sessions {
  const { strategy, ready, limits = defaultLimits, now = Date.now, onError } = settings;
  const cookie = new SessionCookie(settings.cookie);
  const cookies = new AppCookies(settings.cookie, limits, now);
  const describe = settings.describeClient ?? describeClient;
  const clientOf: DescribeClient = request => limitClient(describe(request));
  const counts = strategy.counts ?? {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };

  /** cookie -> token -> session -> handler (commits) -> cookie -> headers and body */
  async function respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
    const isSecure = cookie.isSecure(request);
    const context = new RequestSession(strategy, count, () => clientOf(request));
    try {
      await context.open(readCookie(request.headers.cookie, cookie.nameOf(isSecure)));
      const reply = await handler(context);
      await context.close();
      send(response, reply, context, { cookie, isSecure });
    } catch (error) {
      await context.close().catch(() => undefined);
      report(error);
      sendFailure(response, error, context, { cookie, isSecure });
    }
  }

  function report(error: unknown): void {
    const isOurs = error instanceof SessionError;
    count(isOurs ? error.name : 'failed');
    // The store reports an outage when it begins and when it ends. One more line per request would bury that report.
    if (!isOurs || error.status === 500) onError(error);
  }

  const app: AppSettings = {
    strategy,
    cookies,
    clientOf,
    maxPerUser: settings.maxPerUser ?? Number.POSITIVE_INFINITY,
    count,
    report,
  };
  return {
    open: (request, response) => openAppSession(app, request, response),
    listener: handler => listenWith(app, handler),
    respond,
    counts,
    feedAgeMs: () => strategy.feedAgeMs?.(),
    ready,
    list: user => strategy.list(user),
    endOne: (user, handle) => strategy.endOne(user, handle),
    endAll: user => strategy.endAll(user),
    endEveryone: () => strategy.endEveryone(),
    close: () => strategy.close(),
  };
}

/** The cookie of the session on the connection of one request. */
interface ReplyCookie {
  readonly cookie: SessionCookie;
  readonly isSecure: boolean;
}

/** Writes the headers and the body. Every change is committed by now. Errors (a header that HTTP forbids, a cookie too
 * large) are thrown before the first byte is written. */
function send(response: ServerResponse, reply: Reply, context: RequestSession, replyCookie: ReplyCookie): void {
  if (response.headersSent || response.destroyed) return;
  if (!isFinalStatus(reply.status)) throw new RangeError(`a reply cannot have the status ${reply.status}`);
  const { isPersonal, ended } = context.effects;
  const line = buildCookieHeader(context, replyCookie);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (line !== undefined) response.appendHeader('set-cookie', line);
  if (isPersonal) response.setHeader('cache-control', 'no-store');
  if (ended && replyCookie.isSecure) response.setHeader('clear-site-data', '"cache", "storage"');
  response.statusCode = reply.status;
  response.end(reply.body);
}

/** Sends the failure reply. If even that fails, it closes the connection without a response. */
function sendFailure(
  response: ServerResponse,
  error: unknown,
  context: RequestSession,
  replyCookie: ReplyCookie,
): void {
  try {
    send(response, buildFailureReply(error), context, replyCookie);
  } catch {
    response.destroy();
  }
}

/** Returns the Set-Cookie value, or undefined if the browser keeps its cookie. */
function buildCookieHeader({ effects }: RequestSession, { cookie, isSecure }: ReplyCookie): string | undefined {
  if (effects.cookie === 'keep') return undefined;
  return effects.cookie === 'clear' ? cookie.clear(isSecure) : cookie.set(effects.cookie.token, isSecure);
}

function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}
