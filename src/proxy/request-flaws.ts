import type { EngineAnswerCause } from './exchange.js';

/** A request that an engine answers by itself, because it is malformed, late or too large. */
export interface RequestFlaw {
  readonly cause: EngineAnswerCause;
  readonly status: 400 | 408 | 413 | 414 | 417 | 431 | 501;
  /** Text for people, which the client gets. */
  readonly reason: string;
}

/** The status of each cause. */
export const flawStatuses = {
  malformed: 400,
  host: 400,
  target: 400,
  framing: 400,
  'body-malformed': 400,
  'header-timeout': 408,
  'body-timeout': 408,
  'body-bytes': 413,
  'target-bytes': 414,
  expectation: 417,
  'header-bytes': 431,
  'header-fields': 431,
  method: 501,
} as const satisfies Readonly<Record<Exclude<EngineAnswerCause, 'client-closed'>, RequestFlaw['status']>>;

export function buildFlaw(cause: keyof typeof flawStatuses, reason: string): RequestFlaw {
  return { cause, status: flawStatuses[cause], reason };
}

/* The flaws that both engines find. */
export const malformed = buildFlaw('malformed', 'This is not well-formed HTTP/1.1.');
export const tooManyEmptyLines = buildFlaw('malformed', 'Too many empty lines before a request.');
export const badTarget = buildFlaw('target', 'This request target is not served here.');
export const badCoding = buildFlaw('framing', 'The only transfer coding that is understood is chunked.');
/** Bytes after the head would be neither body nor tunnel. */
export const bodyOnUpgrade = buildFlaw('framing', 'A request for an upgrade has no body here.');
export const unknownMethod = buildFlaw('method', 'This method is not known here.');
export const badExpectation = buildFlaw('expectation', 'The only expectation that is understood is 100-continue.');
export const longTarget = buildFlaw('target-bytes', 'The request target is too long.');
export const longHead = buildFlaw('header-bytes', 'The request head is too long.');
export const lateHead = buildFlaw('header-timeout', 'The request head did not arrive in time.');
export const malformedBody = buildFlaw('body-malformed', 'The request body is not well-formed.');
export const cutBody = buildFlaw('body-malformed', 'The request body is not complete.');
export const lateBody = buildFlaw('body-timeout', 'The request body did not arrive in time.');
export const longBody = buildFlaw('body-bytes', 'The request body is too long.');

export function buildTooManyFields(fieldsMax: number): RequestFlaw {
  return buildFlaw('header-fields', `More than ${fieldsMax} header fields.`);
}
