import type { OutgoingHttpHeaders } from 'node:http2';
import {
  badTarget,
  buildFlaw,
  type EngineLimits,
  longBody,
  longHead,
  longTarget,
  type RequestFlaw,
  unknownMethod,
} from '../../../exchange.js';
import { connectionFields } from '../../../headers.js';
import { trimBlankEnd } from '../head-text.js';
import { targetBytesMax } from '../incoming.js';
import { parseRequestHead, type RequestHead } from '../request-head.js';

/*
 * Translates the heads of HTTP/2 requests to HTTP/1.1, and the heads of HTTP/1.1 answers to HTTP/2.
 */

const malformedRequest = buildFlaw('malformed', 'This is not well-formed HTTP/2.');
const twoHosts = buildFlaw('malformed', 'The fields :authority and Host name different hosts.');

/** RFC 9113 §8.2: a token (RFC 9110 §5.6.2) without upper-case letters. */
const nameShape = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** A method that may stand in a log. */
const methodShape = /^[\w!#$%&'*+.^`|~-]{1,32}$/;
/** RFC 9110 §5.5. A control character would end the line or the value. */
const valueShape = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Visible ASCII without "#". White space would end the target in the first line of the backend's request. */
const targetShape = /^[\x21\x22\x24-\x7e]+$/;

/** The pseudo-header fields of RFC 9113 §8.3.1. `:protocol` (RFC 8441) is not offered, so it is malformed. */
interface PseudoFields {
  ':method'?: string;
  ':scheme'?: string;
  ':path'?: string;
  ':authority'?: string;
}

function isPseudo(name: string): name is keyof PseudoFields {
  return name === ':method' || name === ':scheme' || name === ':path' || name === ':authority';
}

/**
 * Translates the field section of one HTTP/2 request into the head of an HTTP/1.1 request, and parses this head like a
 * received one. Every rule for HTTP/1.1 then holds for HTTP/2 too. The checks here come first: they keep one field from
 * becoming two lines. Node's nghttp2 makes most of them as well; a proxy that translates must not rely on that.
 *
 * `fields`: name and value alternately, as received. `ended`: no body follows.
 */
export function readHttp2Request(
  fields: readonly string[],
  ended: boolean,
  limits: Pick<EngineLimits, 'headerBytesMax' | 'headerFieldsMax' | 'bodyBytesMax'>,
): RequestHead | RequestFlaw {
  const section = new FieldSection();
  for (let at = 0; at < fields.length; at += 2) {
    if (!section.add(fields[at] ?? '', fields[at + 1] ?? '')) return malformedRequest;
  }
  const text = section.toHeadText(ended);
  if (typeof text !== 'string') return text;
  if (text.length > limits.headerBytesMax) return section.hasLongTarget ? longTarget : longHead;
  const head = parseRequestHead(text, limits.headerFieldsMax);
  if ('status' in head) return head;
  // No data follows, so the backend would wait for the announced length in vain.
  if (ended && head.length > 0) return malformedRequest;
  return limits.bodyBytesMax > 0 && head.length > limits.bodyBytesMax ? longBody : head;
}

/** The method and the target of a request, as far as they can be read. */
export interface RequestLine {
  readonly method: string | undefined;
  readonly path: string | undefined;
}

/** Reads method and target of a request that is not valid, for the log. */
export function readPseudoLine(fields: readonly string[]): RequestLine {
  const find = (name: string): string | undefined => {
    for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1];
    return undefined;
  };
  const method = find(':method');
  return { method: method !== undefined && methodShape.test(method) ? method : undefined, path: find(':path') };
}

/** Collects the fields of one request. */
class FieldSection {
  readonly #pseudo: PseudoFields = {};
  #host: string | undefined;
  #cookie: string | undefined;
  #framed = false;
  #lines = '';
  #regular = false;

  get hasLongTarget(): boolean {
    return (this.#pseudo[':path']?.length ?? 0) > targetBytesMax;
  }

  /** Returns false if the field makes the request malformed. */
  add(name: string, value: string): boolean {
    if (!valueShape.test(value) || hasOuterBlank(value)) return false;
    if (name.startsWith(':')) return this.#addPseudo(name, value);
    this.#regular = true;
    return nameShape.test(name) && !connectionFields.has(name) && this.#addRegular(name, value);
  }

  /** Pseudo-header fields come first, and each comes once. */
  #addPseudo(name: string, value: string): boolean {
    if (this.#regular || !isPseudo(name) || this.#pseudo[name] !== undefined) return false;
    this.#pseudo[name] = value;
    return true;
  }

  #addRegular(name: string, value: string): boolean {
    switch (name) {
      case 'host':
        if (this.#host !== undefined) return false;
        this.#host = value;
        return true;
      case 'cookie':
        // RFC 9113 §8.2.3. Browsers send each cookie in a field of its own.
        this.#cookie = this.#cookie === undefined ? value : `${this.#cookie}; ${value}`;
        return true;
      case 'te':
        return value === 'trailers';
      case 'content-length':
        this.#framed = true;
        break;
    }
    this.#lines += `${name}: ${value}\r\n`;
    return true;
  }

  toHeadText(ended: boolean): string | RequestFlaw {
    const { ':method': method, ':scheme': scheme, ':path': path, ':authority': authority = this.#host } = this.#pseudo;
    // Answered like CONNECT over HTTP/1.1.
    if (method === 'CONNECT') return unknownMethod;
    if (method === undefined || scheme === undefined || path === undefined) return malformedRequest;
    if ((scheme !== 'https' && scheme !== 'http') || !/^\S+$/.test(method)) return malformedRequest;
    if (!targetShape.test(path) || !(path.startsWith('/') || (path === '*' && method === 'OPTIONS'))) return badTarget;
    if (authority === undefined) return malformedRequest;
    if (this.#host !== undefined && this.#host.toLowerCase() !== authority.toLowerCase()) return twoHosts;
    const cookie = this.#cookie === undefined ? '' : `cookie: ${this.#cookie}\r\n`;
    const framing = ended || this.#framed ? '' : 'transfer-encoding: chunked\r\n';
    return `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n${this.#lines}${cookie}${framing}`;
  }
}

function hasOuterBlank(value: string): boolean {
  return isBlankCode(value.charCodeAt(0)) || isBlankCode(value.charCodeAt(value.length - 1));
}

function isBlankCode(code: number): boolean {
  return code === 32 || code === 9;
}

/** Fields that are not passed on: those of the connection to the backend, and `trailer`, because trailers are dropped. */
const droppedFromAnswers: ReadonlySet<string> = new Set([...connectionFields, 'te', 'trailer']);

/** Joining two of these would change their meaning: RFC 9110 §5.3, and commas within a challenge. */
const repeatable: ReadonlySet<string> = new Set(['set-cookie', 'www-authenticate']);

/** HTTP/2 clients of today reject a status above this, as Node does. */
const statusMax = 599;
/** Clients read an invalid status as a server error (RFC 9110 §15). */
const statusInstead = 502;

interface Http2Answer {
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
  if (droppedFromAnswers.has(name)) return;
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (!repeatable.has(name)) headers[name] = `${before}, ${value}`;
  else headers[name] = Array.isArray(before) ? [...before, value] : [`${before}`, value];
}
