import type { Exchange, HeaderEdits } from '../exchange.js';
import type { OwnAnswer } from './own-answers.js';

/** Larger numbers lose precision; such a field is forwarded unchanged, like a malformed one. */
const shape = /^\d{1,15}$/;
const allowed = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const reason = 'Max-Forwards was 0, so the proxy has answered by itself.';

type Asked = Pick<Exchange, 'method' | 'header'>;

/**
 * Builds the proxy's own answer to a request that asks to be forwarded no further (RFC 9110 §7.6.2). Undefined: it is
 * forwarded. A TRACE is not reflected, because its fields may be secret.
 */
export function buildLastHopAnswer(asked: Asked): OwnAnswer | undefined {
  if (readMaxForwards(asked) !== 0) return undefined;
  return { status: asked.method === 'OPTIONS' ? 200 : 405, outcome: 'not-sent', reason, headers: { allow: allowed } };
}

/** Adds the decremented Max-Forwards to the edits of a request that has one. */
export function countHop(asked: Asked, edits: HeaderEdits['request']): HeaderEdits['request'] {
  const left = readMaxForwards(asked);
  return left === undefined ? edits : { ...edits, 'max-forwards': String(Math.max(0, left - 1)) };
}

/** Reads the field. For other methods than OPTIONS and TRACE it has no meaning, and stays unchanged. */
function readMaxForwards(asked: Asked): number | undefined {
  if (asked.method !== 'OPTIONS' && asked.method !== 'TRACE') return undefined;
  const value = asked.header('max-forwards');
  return value !== undefined && shape.test(value) ? Number(value) : undefined;
}
