import type { AttemptFailure, Exchange, HeaderEdits, Outcome } from '../exchange.js';

/** The proxy's own answer when no backend answered, or none was asked (200, 405). */
export interface OwnAnswer {
  readonly status: 200 | 405 | 421 | 429 | 502 | 503 | 504;
  readonly outcome: 'not-sent' | 'unknown';
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
}

const retryAfterS = '1';

/** RFC 9110 §15.5.20: no pool serves the host of the request. */
export const misdirected: OwnAnswer = {
  status: 421,
  outcome: 'not-sent',
  reason: 'No site of this name is served here.',
  headers: { 'proxy-status': 'holdfast; error=destination_not_found; outcome=not-sent' },
};

/**
 * Builds the answer for how the last attempt ended. Undefined: the client has left, or an answer had begun. `last` is
 * undefined when no backend could be asked. `sent`: a backend may have carried out the request.
 */
export function buildOwnAnswer(last: Outcome | undefined, sent: boolean): OwnAnswer | undefined {
  if (last === undefined || last.kind === 'refused') return buildUnavailable('destination_unavailable', sent);
  if (last.kind === 'own-failure') return buildUnavailable(last.reason, sent);
  return last.kind === 'broken-off' ? buildBrokenOff(last) : undefined;
}

/** No backend could be asked, or the last one received nothing. `sent`: an earlier one may have received it. */
function buildUnavailable(error: 'destination_unavailable' | 'proxy_internal_error', sent: boolean): OwnAnswer {
  const headers = { ...buildProxyStatus(error, sent), 'retry-after': retryAfterS };
  const own = error === 'proxy_internal_error';
  const what = own ? 'This proxy cannot open a connection now' : 'No server can take this request now';
  const reason = `${what}; try again in a second.`;
  return { status: 503, outcome: sent ? 'unknown' : 'not-sent', reason, headers };
}

/** The request found its backends full, and could not wait or waited for too long. `sent`: see `buildUnavailable`. */
export function buildOverloaded(end: 'full' | 'timeout', sent: boolean): OwnAnswer {
  const reason =
    end === 'full'
      ? 'The servers are busy, and too many requests wait already; try again in a second.'
      : 'The servers are busy, and none became free in time; try again in a second.';
  const error = `connection_limit_reached; details="queue ${end}"` as const;
  const headers = { ...buildProxyStatus(error, sent), 'retry-after': retryAfterS };
  return { status: 503, outcome: sent ? 'unknown' : 'not-sent', reason, headers };
}

/** The client's address has sent too many requests. */
export function buildTooMany(waitMs: number): OwnAnswer {
  return {
    status: 429,
    outcome: 'not-sent',
    reason: 'Too many requests came from this address; try again later.',
    headers: { ...buildProxyStatus('http_request_denied', false), 'retry-after': String(Math.ceil(waitMs / 1000)) },
  };
}

/** A backend received the request, and its answer never began. */
function buildBrokenOff({ reason }: Extract<Outcome, { kind: 'broken-off' }>): OwnAnswer {
  const late = reason === 'http_response_timeout';
  const what = late ? 'did not answer in time' : 'broke off before it answered';
  return {
    status: late ? 504 : 502,
    outcome: 'unknown',
    reason: `The server ${what}; the request may have been carried out.`,
    headers: buildProxyStatus(reason === 'marked_down' ? 'destination_unavailable' : reason, true),
  };
}

type ProxyError =
  | AttemptFailure
  | 'destination_unavailable'
  | 'http_request_denied'
  | `connection_limit_reached; details="${'queue full' | 'queue timeout'}"`;

/** Builds the field of RFC 9209. `outcome` is an extension parameter (§2.2): whether resending is safe. */
function buildProxyStatus(error: ProxyError, sent: boolean): Record<string, string> {
  return { 'proxy-status': `holdfast; error=${error}; outcome=${sent ? 'unknown' : 'not-sent'}` };
}

/** Larger numbers lose precision; such a field is forwarded unchanged, like a malformed one. */
const maxForwardsShape = /^\d{1,15}$/;
const lastHopMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const lastHopReason = 'Max-Forwards was 0, so the proxy has answered by itself.';

type Asked = Pick<Exchange, 'method' | 'header'>;

/**
 * Builds the proxy's own answer to a request that asks to be forwarded no further (RFC 9110 §7.6.2). Undefined: it is
 * forwarded. A TRACE is not reflected, because its fields may be secret.
 */
export function buildLastHopAnswer(asked: Asked): OwnAnswer | undefined {
  if (readMaxForwards(asked) !== 0) return undefined;
  return {
    status: asked.method === 'OPTIONS' ? 200 : 405,
    outcome: 'not-sent',
    reason: lastHopReason,
    headers: { allow: lastHopMethods },
  };
}

/** Adds the decremented Max-Forwards to the edits of a request that has one. */
export function countHop(asked: Asked, edits: HeaderEdits['request']): HeaderEdits['request'] {
  const left = readMaxForwards(asked);
  return left === undefined ? edits : { ...edits, 'max-forwards': String(Math.max(0, left - 1)) };
}

/** Returns the value of Max-Forwards; undefined if it has none. It has a meaning only for OPTIONS and TRACE. */
function readMaxForwards(asked: Asked): number | undefined {
  if (asked.method !== 'OPTIONS' && asked.method !== 'TRACE') return undefined;
  const value = asked.header('max-forwards');
  return value !== undefined && maxForwardsShape.test(value) ? Number(value) : undefined;
}
