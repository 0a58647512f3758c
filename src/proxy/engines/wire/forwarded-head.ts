import { withoutCookie } from '../../cookie-header.js';
import type { HeaderEdits } from '../../exchange.js';
import { withoutField } from './fields.js';
import { alwaysDropped, type RequestHead } from './request-head.js';

/** The head for a backend: what came, less what was for this hop, and what only a proxy can say. */
export function forwardedHead(
  head: RequestHead,
  edits: HeaderEdits,
  /** Field lines that are the same for each request of a connection. */
  ofConnection: string,
  /** The host of the backend itself, for clients that named none. */
  ownHost: string,
): string {
  const { method, path, host, cookie } = head;
  let { kept } = head;
  let more = '';
  for (const name in edits.request) {
    const value = edits.request[name];
    if (!alwaysDropped.has(name)) kept = withoutField(kept, name);
    if (value !== undefined) more += `${name}: ${value}\r\n`;
  }
  const rest = cookie !== undefined && edits.ownCookie !== '' ? withoutCookie(cookie, edits.ownCookie) : cookie;
  if (rest !== undefined) more += `cookie: ${rest}\r\n`;
  const asked = host === undefined ? '' : `x-forwarded-host: ${host}\r\n`;
  const hop = `${framingOf(head)}${head.upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : ''}`;
  return `${method} ${path} HTTP/1.1\r\nhost: ${host ?? ownHost}\r\n${kept}${more}${ofConnection}${asked}${hop}\r\n`;
}

function framingOf({ chunked, length }: RequestHead): string {
  if (chunked) return 'transfer-encoding: chunked\r\n';
  return length === -1 ? '' : `content-length: ${length}\r\n`;
}
