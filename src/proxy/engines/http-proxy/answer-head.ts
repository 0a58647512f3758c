import type { IncomingMessage, InformationEvent } from 'node:http';
import type { AddedHeader, AnswerHead } from '../../exchange.js';
import { namedInConnection, notInTrailers } from '../../headers/hop-by-hop.js';
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
 * Node's parser takes more than can be passed on: a 101 that says not to what, lengths beyond all numbers, and any
 * coding, of which it undoes the chunks alone.
 */
export function isReadable({ statusCode = 0, httpVersion, headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding'];
  if (statusCode < 200 || (headers['content-length']?.length ?? 0) > lengthDigitsMax) return false;
  return coding === undefined || (coding.toLowerCase() === 'chunked' && httpVersion === '1.1');
}

export function answerHead(answer: IncomingMessage): AnswerHead {
  return {
    status: answer.statusCode ?? 0,
    header(name) {
      const value = answer.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

/**
 * Names and values in turn, in the order and spelling of the backend, so that lines of one name stay apart. The backend
 * cannot set the cookie `ownCookie`: its browser would lose its way back.
 */
export function answerLines(answer: IncomingMessage, added: readonly AddedHeader[], ownCookie: string): string[] {
  const { rawHeaders } = answer;
  const named = namedInConnection(answer.headers.connection);
  // RFC 9110 §8.6: whoever believed it would wait for a body that does not come.
  const noLength = answer.statusCode === 204;
  const noTrailers = answer.headers['transfer-encoding'] === undefined || isBodyless(answer);
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    const lowerCase = name.toLowerCase();
    if (noLength && lowerCase === 'content-length') continue;
    // Node throws, and would leave half an answer behind.
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
  // Only the proxy speaks for itself: a backend's word on what this hop did would be taken for ours.
  if (name === 'proxy-status' && /(?:^|,)\s*holdfast\b/i.test(value)) return false;
  return name === 'set-cookie' || !added.some(([replaced]) => replaced === name);
}

/** A head of the 1xx kind, which Node's server cannot be asked to write (RFC 9110 §15.2: a proxy passes it on). */
export function interimHead({ statusCode, statusMessage, rawHeaders }: InformationEvent): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // RFC 9110 §8.6: whoever believed a length would take the answer for a body.
    if (!dropped.has(name.toLowerCase()) && name.toLowerCase() !== 'content-length')
      head += `${name}: ${rawHeaders[at + 1] ?? ''}\r\n`;
  }
  return `${head}\r\n`;
}

/** Names and values in turn; what has no business behind a body is left out. */
export function trailersOf({ rawTrailers }: IncomingMessage): [string, string][] {
  const kept: [string, string][] = [];
  for (let at = 0; at + 1 < rawTrailers.length; at += 2) {
    const name = rawTrailers[at] ?? '';
    if (!notInTrailers.test(`${name}:`)) kept.push([name, rawTrailers[at + 1] ?? '']);
  }
  return kept;
}
