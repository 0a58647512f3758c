import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const answers: Record<string, { readonly line: string; readonly reason: string }> = {
  HPE_HEADER_OVERFLOW: { line: '431 Request Header Fields Too Large', reason: 'The request head is too long.' },
  ERR_HTTP_REQUEST_TIMEOUT: { line: '408 Request Timeout', reason: 'The request head did not arrive in time.' },
};
const targetTooLong = { line: '414 URI Too Long', reason: 'The request target is too long.' };
const malformed = { line: '400 Bad Request', reason: 'This is not well-formed HTTP/1.1.' };

/** Answers what never became a request, and closes: where the next request would begin is anybody's guess. */
export function answerBadHead(error: Error, socket: Duplex): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const before = responseOn(socket);
  // A reset has nobody to answer to.
  if (code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (before?.req.complete) endWith(before, socket);
  // A second head must not be written into the middle of an answer.
  else if (before?.headersSent) socket.destroy();
  // What is malformed is the body of a request that may have been passed on in part.
  else if (before !== undefined) refuse(socket, malformed, 'unknown');
  else refuse(socket, isInTarget(code, error) ? targetTooLong : (answers[code] ?? malformed), 'not-sent');
}

/** The response that is being written on a connection: Node keeps it beside the socket. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse ? socket._httpMessage : undefined;
}

/** What is malformed comes behind a request that is whole: that one gets its answer, and it is the last. */
function endWith(response: ServerResponse, socket: Duplex): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
  // Each further packet would be another error.
  socket.pause();
  response.once('finish', () => socket.end(() => socket.destroy()));
}

function refuse(socket: Duplex, { line, reason }: typeof malformed, outcome: 'not-sent' | 'unknown'): void {
  const head = [
    `HTTP/1.1 ${line}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${reason.length + 1}`,
    `proxy-status: holdfast; error=http_request_error; outcome=${outcome}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}\n`, () => socket.destroy());
}

/** The head became too long, and its first line alone made half of it. */
function isInTarget(code: string, error: Error): boolean {
  if (code !== 'HPE_HEADER_OVERFLOW' || !('rawPacket' in error) || !(error.rawPacket instanceof Buffer)) return false;
  return /^[A-Z]+ [^\r\n]{8192}/.test(error.rawPacket.toString('latin1'));
}
