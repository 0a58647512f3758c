import type { ServerResponse } from 'node:http';
import { clearCookie, setCookie } from './cookie.js';
import { SessionError, StoreUnavailable, wordFor } from './errors.js';
import type { Traces } from './live-visit.js';
import type { Reply } from './sessions.js';

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
export function send(response: ServerResponse, reply: Reply | Failure, traces: Traces, secure: boolean): void {
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
export function sendFailure(response: ServerResponse, error: unknown, traces: Traces, secure: boolean): void {
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
