import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const answers: Record<string, { readonly line: string; readonly reason: string }> = {
  HPE_HEADER_OVERFLOW: { line: '431 Request Header Fields Too Large', reason: 'The request head is too long.' },
  ERR_HTTP_REQUEST_TIMEOUT: { line: '408 Request Timeout', reason: 'The request head did not arrive in time.' },
};
const malformed = { line: '400 Bad Request', reason: 'This is not well-formed HTTP/1.1.' };

/** Answers what never became a request, and closes: where the next request would begin is anybody's guess. */
export function answerBadHead(error: Error, socket: Duplex): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // A reset has nobody to answer to, and a second head must not be written into the middle of an answer.
  if (code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) return void socket.destroy();
  const { line, reason } = answers[code] ?? malformed;
  const head = [
    `HTTP/1.1 ${line}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${reason.length + 1}`,
    'proxy-status: holdfast; error=http_request_error; outcome=not-sent',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}\n`, () => socket.destroy());
}

/** Node keeps the response that is being written beside its socket. */
function isAnswering(socket: Duplex): boolean {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse && socket._httpMessage.headersSent;
}
