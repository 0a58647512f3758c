import type { OutgoingHttpHeaders } from 'node:http2';
import { connectionFields } from '../../../headers/hop-by-hop.js';
import { trimBlankEnd } from '../grammar.js';

/** Fields that are not passed on: those of the connection to the backend, and `trailer`, because trailers are dropped. */
const dropped: ReadonlySet<string> = new Set([...connectionFields, 'te', 'trailer']);

/** Joining two of these would change their meaning: RFC 9110 §5.3, and commas within a challenge. */
const repeatable: ReadonlySet<string> = new Set(['set-cookie', 'www-authenticate']);

/** HTTP/2 clients of today reject a status above this, as Node does. */
const statusMax = 599;
/** Clients read an invalid status as a server error (RFC 9110 §15). */
const statusInstead = 502;

export interface Http2Answer {
  readonly status: number;
  /** With `:status`. */
  readonly headers: OutgoingHttpHeaders;
}

/** Translates the head of a valid HTTP/1.1 answer. `text` ends with the line end of its last field. */
export function toHttp2Answer(text: string): Http2Answer {
  // "HTTP/1.1 200"
  const given = Number(text.slice(9, 12));
  const status = given > statusMax ? statusInstead : given;
  const headers: OutgoingHttpHeaders = Object.create(null);
  headers[':status'] = status;
  let at = text.indexOf('\r\n') + 2;
  while (at < text.length) {
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    addField(headers, text.slice(at, colon).toLowerCase(), trimBlankEnd(text.slice(colon + 1, end)).trimStart());
    at = end + 2;
  }
  // It has no body here, whatever the backend sends.
  if (status === 205) delete headers['content-length'];
  return { status, headers };
}

function addField(headers: OutgoingHttpHeaders, name: string, value: string): void {
  if (dropped.has(name)) return;
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (!repeatable.has(name)) headers[name] = `${before}, ${value}`;
  else headers[name] = Array.isArray(before) ? [...before, value] : [`${before}`, value];
}
