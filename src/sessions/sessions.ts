import type { IncomingMessage, ServerResponse } from 'node:http';
import { cameOverTls, clearCookie, cookieName, readCookie, setCookie } from './cookie.js';
import { SessionError, whyOf } from './errors.js';
import { RequestSession, type ResponseEffects } from './request-session.js';
import type { Handler, Reply } from './session-context.js';
import type { SessionStrategy } from './session-strategy.js';

export interface Sessions {
  /** Runs the handler and sends its reply. Never rejects: a `SessionError` becomes its status, any other error becomes
   * 500. Headers that were set on `response` before are kept. */
  respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void>;
  /** Counts of events since the start, by name: `opened`, `absent`, `unknown`, `begun`, `StoreUnavailable` … */
  readonly counts: Readonly<Record<string, number>>;
  /** Returns the age of the list of revoked sessions that this process uses. Undefined: it uses none. */
  feedAgeMs(): number | undefined;
  /** Resolves with true as soon as sessions can be served, with false after `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Administration of the sessions of any user. `SessionStrategy` documents these four. */
  readonly list: SessionStrategy['list'];
  readonly endOne: SessionStrategy['endOne'];
  readonly endAll: SessionStrategy['endAll'];
  readonly endEveryone: SessionStrategy['endEveryone'];
  close(): Promise<void>;
}

export interface SessionsSettings {
  readonly strategy: SessionStrategy;
  readonly ready: (withinMs: number) => Promise<boolean>;
  /** True if every request came over TLS, whatever its headers say. */
  readonly secure: boolean;
  readonly onError: (error: unknown) => void;
}

export function serveSessions({ strategy, ready, secure, onError }: SessionsSettings): Sessions {
  const counts = strategy.counts ?? {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };

  /** cookie -> token -> session -> handler (commits) -> cookie -> headers and body */
  async function respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
    const isSecure = secure || cameOverTls(request.headers);
    const context = new RequestSession(strategy, count);
    try {
      await context.open(readCookie(request.headers.cookie, cookieName(isSecure)));
      const reply = await handler(context);
      await context.close();
      send(response, reply, context.effects, isSecure);
    } catch (error) {
      await context.close().catch(() => undefined);
      report(error);
      sendFailure(response, error, context.effects, isSecure);
    }
  }

  function report(error: unknown): void {
    const isOurs = error instanceof SessionError;
    count(isOurs ? error.name : 'failed');
    // The store reports an outage when it begins and when it ends. One more line per request would bury that report.
    if (!isOurs || error.status === 500) onError(error);
  }

  return {
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

const retryAfterSeconds = 1;

function buildFailureReply(error: unknown): Reply {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  const isOurs = error instanceof SessionError && error.status !== 500;
  const status = isOurs ? error.status : 500;
  const content = isOurs
    ? { error: error.message, why: whyOf(error) }
    : { error: 'the request could not be handled', why: 'internal' };
  return {
    status,
    headers: status === 503 ? { ...headers, 'retry-after': String(retryAfterSeconds) } : headers,
    body: JSON.stringify(content),
  };
}

/** Writes the headers and the body. Every change is committed by now. Errors (a header that HTTP forbids, a cookie too
 * large) are thrown before the first byte is written. */
function send(response: ServerResponse, reply: Reply, effects: ResponseEffects, secure: boolean): void {
  if (response.headersSent || response.destroyed) return;
  if (!isFinalStatus(reply.status)) throw new RangeError(`a reply cannot have the status ${reply.status}`);
  const cookie = buildCookieHeader(effects, secure);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (cookie !== undefined) response.appendHeader('set-cookie', cookie);
  if (effects.isPersonal) response.setHeader('cache-control', 'no-store');
  if (effects.ended && secure) response.setHeader('clear-site-data', '"cache", "storage"');
  response.statusCode = reply.status;
  response.end(reply.body);
}

/** Sends the failure reply. If even that fails, it closes the connection without a response. */
function sendFailure(response: ServerResponse, error: unknown, effects: ResponseEffects, secure: boolean): void {
  try {
    send(response, buildFailureReply(error), effects, secure);
  } catch {
    response.destroy();
  }
}

/** Returns the Set-Cookie value, or undefined if the browser keeps its cookie. */
function buildCookieHeader({ cookie }: ResponseEffects, secure: boolean): string | undefined {
  if (cookie === 'keep') return undefined;
  return cookie === 'clear' ? clearCookie(secure) : setCookie(cookie.token, secure);
}

function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}
