import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { AppCookies } from './app/app-cookies.js';
import type { AppSession } from './app/app-session.js';
import {
  type AppListener,
  type AppSettings,
  buildFailureReply,
  listenWith,
  openAppSession,
} from './app/open-app-session.js';
import { type DescribeClient, describeClient, limitClient } from './client.js';
import { type CookieOptions, readCookie, SessionCookie } from './cookie.js';
import { SessionError } from './errors.js';
import { RequestSession } from './request-session.js';
import { defaultLimits, type SessionLimits } from './session.js';
import type { Handler, Reply } from './session-context.js';
import type { SessionStrategy } from './session-strategy.js';

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

export interface SessionsSettings {
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
      send(response, reply, context, isSecure);
    } catch (error) {
      await context.close().catch(() => undefined);
      report(error);
      sendFailure(response, error, context, isSecure);
    }
  }

  function report(error: unknown): void {
    const isOurs = error instanceof SessionError;
    count(isOurs ? error.name : 'failed');
    // The store reports an outage when it begins and when it ends. One more line per request would bury that report.
    if (!isOurs || error.status === 500) onError(error);
  }

  /** Writes the headers and the body. Every change is committed by now. Errors (a header that HTTP forbids, a cookie too
   * large) are thrown before the first byte is written. */
  function send(response: ServerResponse, reply: Reply, context: RequestSession, secure: boolean): void {
    if (response.headersSent || response.destroyed) return;
    if (!isFinalStatus(reply.status)) throw new RangeError(`a reply cannot have the status ${reply.status}`);
    const { isPersonal, ended } = context.effects;
    const line = buildCookieHeader(context, secure);
    for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
    if (line !== undefined) response.appendHeader('set-cookie', line);
    if (isPersonal) response.setHeader('cache-control', 'no-store');
    if (ended && secure) response.setHeader('clear-site-data', '"cache", "storage"');
    response.statusCode = reply.status;
    response.end(reply.body);
  }

  /** Sends the failure reply. If even that fails, it closes the connection without a response. */
  function sendFailure(response: ServerResponse, error: unknown, context: RequestSession, secure: boolean): void {
    try {
      send(response, buildFailureReply(error), context, secure);
    } catch {
      response.destroy();
    }
  }

  /** Returns the Set-Cookie value, or undefined if the browser keeps its cookie. */
  function buildCookieHeader({ effects }: RequestSession, secure: boolean): string | undefined {
    if (effects.cookie === 'keep') return undefined;
    return effects.cookie === 'clear' ? cookie.clear(secure) : cookie.set(effects.cookie.token, secure);
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

function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}
