import { wordFor } from '#src/sessions/errors.js';
import type { Reply } from '#src/sessions/sessions.js';
import type { Refusal } from './refusal.js';

type Headers = NonNullable<Reply['headers']>;

/** Never to be stored: nearly every answer shows what is in a session, and the others change with every request. */
const jsonHeaders: Headers = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

export function json(status: number, value: object, headers: Headers = {}): Reply {
  return { status, headers: { ...jsonHeaders, ...headers }, body: `${JSON.stringify(value)}\n` };
}

/** As every error here and in the sessions: a sentence for people, and one word for programs. */
export function refused(refusal: Refusal): Reply {
  return json(refusal.status, { error: refusal.message, why: wordFor(refusal) }, refusal.headers);
}
