import type { IncomingMessage, ServerResponse } from 'node:http';
import { cameOverTls, clearCookie, cookieName, readCookie, setCookie } from './cookie.js';
import { SessionError, StoreUnavailable, wordFor } from './errors.js';
import { LiveVisit, type Traces } from './live-visit.js';
import type { SessionStrategy } from './session-strategy.js';
import type { Handler, Reply } from './visit.js';

export interface Sessions {
  /** Never rejects: a `SessionError` becomes its status, anything else 500. Headers set on `response` before are kept. */
  respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void>;
  /** How often each thing happened since the start, by name: `opened`, `absent`, `unknown`, `begun`, `StoreUnavailable` … */
  readonly counts: Readonly<Record<string, number>>;
  /** True as soon as sessions can be served, false when not within `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Of any user's sessions, as `SessionStrategy` has it. */
  readonly list: SessionStrategy['list'];
  readonly endOne: SessionStrategy['endOne'];
  readonly endAll: SessionStrategy['endAll'];
  readonly endEveryone: SessionStrategy['endEveryone'];
  close(): Promise<void>;
}

export interface SessionsSettings {
  readonly strategy: SessionStrategy;
  readonly ready: (withinMs: number) => Promise<boolean>;
  /** Every request came over TLS, whatever its headers say. */
  readonly secure: boolean;
  readonly onError: (error: unknown) => void;
}

export function serveSessions({ strategy, ready, secure, onError }: SessionsSettings): Sessions {
  const counts: Record<string, number> = {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };

  /** cookie -> token -> session -> handler (commits) -> cookie -> headers and body */
  async function respond(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
    const isSecure = secure || cameOverTls(request.headers);
    const visit = new LiveVisit(strategy, count);
    try {
      await visit.open(readCookie(request.headers.cookie, cookieName(isSecure)));
      const reply = await handler(visit);
      await visit.close();
      send(response, reply, visit.traces, isSecure);
    } catch (error) {
      await visit.close().catch(() => undefined);
      report(error);
      sendFailure(response, error, visit.traces, isSecure);
    }
  }

  function report(error: unknown): void {
    const isOurs = error instanceof SessionError;
    count(isOurs ? error.name : 'failed');
    // An outage is told at its edges by the store; once more for each request would only bury that line.
    if (!isOurs || error.status === 500) onError(error);
  }

  return {
    respond,
    counts,
    ready,
    list: user => strategy.list(user),
    endOne: (user, handle) => strategy.endOne(user, handle),
    endAll: (user, except) => strategy.endAll(user, except),
    endEveryone: () => strategy.endEveryone(),
    close: () => strategy.close(),
  };
}

const retryAfterSeconds = 1;

/** A reply, and whether it was caused by a store that could not be asked. */
interface Failure extends Reply {
  readonly blind: boolean;
}

function failureReply(error: unknown): Failure {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  const blind = error instanceof StoreUnavailable;
  const isOurs = error instanceof SessionError && error.status !== 500;
  const status = isOurs ? error.status : 500;
  const said = isOurs
    ? { error: error.message, why: wordFor(error) }
    : { error: 'the request could not be handled', why: 'internal' };
  return {
    status,
    headers: status === 503 ? { ...headers, 'retry-after': String(retryAfterSeconds) } : headers,
    body: JSON.stringify(said),
    blind,
  };
}

/** The one place where headers leave; whatever is to be committed has been committed. What it throws (a header that
 * HTTP does not allow, a cookie too large) it throws before the first byte. */
function send(response: ServerResponse, reply: Reply | Failure, traces: Traces, secure: boolean): void {
  if (response.headersSent || response.destroyed) return;
  if (!isFinalStatus(reply.status)) throw new RangeError(`a reply cannot have the status ${reply.status}`);
  const cookie = cookieHeader(traces, secure, 'blind' in reply && reply.blind);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (cookie !== undefined) response.appendHeader('set-cookie', cookie);
  if (cookie !== undefined || traces.hadSession) response.setHeader('cache-control', 'no-store');
  if (traces.ended && secure) response.setHeader('clear-site-data', '"cache", "storage"');
  response.statusCode = reply.status;
  response.end(reply.body);
}

/** The last resort, when even the plain failure cannot be said, is to say nothing and hang up. */
function sendFailure(response: ServerResponse, error: unknown, traces: Traces, secure: boolean): void {
  try {
    send(response, failureReply(error), traces, secure);
  } catch {
    response.destroy();
  }
}

/** While the store cannot be asked no cookie is cleared: the session it names may be there again in a moment. */
function cookieHeader({ cookie }: Traces, secure: boolean, blind: boolean): string | undefined {
  if (cookie === 'keep' || (cookie === 'clear' && blind)) return undefined;
  return cookie === 'clear' ? clearCookie(secure) : setCookie(cookie.token, secure);
}

function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}
