import { randomUUID } from 'node:crypto';
import type { Exchange } from '../exchange.js';

/** The values of `--request-id`. */
export const requestIdModes = ['off', 'set', 'trust'] as const;
export type RequestIdMode = (typeof requestIdModes)[number];

/** Visible characters without a meaning in logs, shells or HTML. */
const wellFormed = /^[\w.:=+/-]{1,128}$/;

/** Returns the function that names each request; undefined: requests have no id. `make` makes a new id. */
export function buildRequestNamer(
  mode: RequestIdMode,
  make: () => string = randomUUID,
): ((exchange: Exchange) => string) | undefined {
  if (mode === 'off') return undefined;
  if (mode === 'set') return () => make();
  return exchange => {
    const given = exchange.header('x-request-id');
    return given !== undefined && wellFormed.test(given) ? given : make();
  };
}

/** W3C Trace Context, section 3.2.2. Version ff is invalid, and only a later version may be longer. */
const traceParent = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/;

/** Returns the trace id of a valid `traceparent`. */
export function parseTraceId(traceparent: string | undefined): string | undefined {
  const [, version, traceId, more] = traceParent.exec(traceparent ?? '') ?? [];
  return version === '00' && more !== undefined ? undefined : traceId;
}
