import { SessionError, whyOf } from '../errors.js';
import type { Reply } from '../session-context.js';

/** Returns the response to a failed request. */
export function buildFailureReply(error: unknown): Reply {
  const isOurs = error instanceof SessionError && error.status !== 500;
  const content = isOurs
    ? { error: error.message, why: whyOf(error) }
    : { error: 'the request could not be handled', why: 'internal' };
  return {
    status: isOurs ? error.status : 500,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...(isOurs ? error.headers : {}),
    },
    body: JSON.stringify(content),
  };
}
