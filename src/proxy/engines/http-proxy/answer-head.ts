import type { IncomingMessage, InformationEvent } from 'node:http';
import type { AddedHeader, AnswerHead } from '../../exchange.js';
import { forbiddenInTrailers, listConnectionFields } from '../../headers/hop-by-hop.js';
import { lengthDigitsMax } from './request-head.js';

const dropped: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Whether the answer can be forwarded. Node's parser accepts more: a 101 without a protocol, and lengths too large for
 * a number. It also accepts any transfer coding, of which it decodes chunked only.
 */
export function isReadable({ statusCode = 0, httpVersion, headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding'];
  if (statusCode < 200 || (headers['content-length']?.length ?? 0) > lengthDigitsMax) return false;
  return coding === undefined || (coding.toLowerCase() === 'chunked' && httpVersion === '1.1');
}

export function readAnswerHead(answer: IncomingMessage): AnswerHead {
  return {
    status: answer.statusCode ?? 0,
    header(name) {
      const value = answer.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

/**
 * Returns names and values in turn, in the backend's order and spelling, so that lines of one name stay separate. Drops
 * the backend's own `ownCookie`, which would break the browser's affinity.
 */
export function buildAnswerLines(answer: IncomingMessage, added: readonly AddedHeader[], ownCookie: string): string[] {
  const { rawHeaders } = answer;
  const named = listConnectionFields(answer.headers.connection);
  // RFC 9110 §8.6: a client that believed the length would wait for a body that does not come.
  const noLength = answer.statusCode === 204;
  const noTrailers = answer.headers['transfer-encoding'] === undefined || isBodyless(answer);
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    const lowerCase = name.toLowerCase();
    if (noLength && lowerCase === 'content-length') continue;
    // Node throws on this field, which would leave half an answer.
    if (noTrailers && lowerCase === 'trailer') continue;
    if (ownCookie !== '' && lowerCase === 'set-cookie' && value.startsWith(`${ownCookie}=`)) continue;
    if (passes(lowerCase, value, named, added)) lines.push(name, value);
  }
  for (const [name, value] of added) lines.push(name, value);
  return lines;
}

function isBodyless({ statusCode }: IncomingMessage): boolean {
  return statusCode === 204 || statusCode === 304;
}

function passes(
  name: string,
  value: string,
  named: ReadonlySet<string> | undefined,
  added: readonly AddedHeader[],
): boolean {
  if (dropped.has(name) || named?.has(name)) return false;
  // Only the proxy reports on this hop: a backend's statement could be mistaken for ours.
  if (name === 'proxy-status' && /(?:^|,)\s*holdfast\b/i.test(value)) return false;
  return name === 'set-cookie' || !added.some(([replaced]) => replaced === name);
}

/** Builds a 1xx head, which Node's server cannot write (RFC 9110 §15.2: a proxy forwards it). */
export function buildInterimHead({ statusCode, statusMessage, rawHeaders }: InformationEvent): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // RFC 9110 §8.6: a client that believed the length would read the final answer as a body.
    if (!dropped.has(name.toLowerCase()) && name.toLowerCase() !== 'content-length')
      head += `${name}: ${rawHeaders[at + 1] ?? ''}\r\n`;
  }
  return `${head}\r\n`;
}

/** Returns names and values of the trailers that may be forwarded. */
export function selectTrailers({ rawTrailers }: IncomingMessage): [string, string][] {
  const kept: [string, string][] = [];
  for (let at = 0; at + 1 < rawTrailers.length; at += 2) {
    const name = rawTrailers[at] ?? '';
    if (!forbiddenInTrailers.test(`${name}:`)) kept.push([name, rawTrailers[at + 1] ?? '']);
  }
  return kept;
}
