import { STATUS_CODES } from 'node:http';
import { dateLine } from './http-date.js';

/** An answer of the proxy itself, `connection` and all. */
export function ownAnswerText(
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>>,
  { bodyless, connection }: { readonly bodyless: boolean; readonly connection: string },
): string {
  const body = `${reason}\n`;
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: text/plain; charset=utf-8\r\n`;
  head += `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\n`;
  for (const name in headers) if (name !== 'connection') head += `${name}: ${headers[name]}\r\n`;
  head += `${dateLine(Date.now())}${connection}\r\n`;
  return bodyless ? head : head + body;
}
