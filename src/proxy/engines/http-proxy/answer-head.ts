import type { IncomingMessage } from 'node:http';
import type { AddedHeader, AnswerHead } from '../../exchange.js';
import { namedInConnection } from './hop-by-hop.js';

const dropped: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'transfer-encoding',
]);

export function answerHead(answer: IncomingMessage): AnswerHead {
  return {
    status: answer.statusCode ?? 0,
    header(name) {
      const value = answer.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

/** Names and values in turn, in the order and spelling of the backend, so that lines of one name stay apart. */
export function answerLines(answer: IncomingMessage, added: readonly AddedHeader[]): string[] {
  const { rawHeaders } = answer;
  const named = namedInConnection(answer.headers.connection);
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    if (passes(name.toLowerCase(), value, named, added)) lines.push(name, value);
  }
  for (const [name, value] of added) lines.push(name, value);
  return lines;
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
