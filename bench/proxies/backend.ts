/**
 * The backends behind every proxy when nginx is not installed. They use raw sockets and fixed answers, in one process
 * that listens on all the given ports.
 *
 *   backend.js port[,port...]
 */
import { createServer, type Socket } from 'node:net';
import { bigBody, smallBody } from './answers.js';

const headEnd = '\r\n\r\n';
const contentLength = /\r\ncontent-length: *(\d+)/i;
const closes = /\r\nconnection: *close/i;

const small = answer('application/json', smallBody);
const big = answer('application/octet-stream', bigBody);
const last = answer('application/json', smallBody, 'Connection: close\r\n');

function answer(type: string, body: string, more = ''): Buffer {
  const fields = `Content-Type: ${type}\r\n${more}Content-Length: ${Buffer.byteLength(body)}`;
  return Buffer.from(`HTTP/1.1 200 OK\r\n${fields}${headEnd}${body}`);
}

function answerTo(head: string): Buffer {
  if (closes.test(head)) return last;
  return head.startsWith('GET /big ') ? big : small;
}

/** Serves one connection. It expects each head in one piece. */
function serve(socket: Socket): void {
  /** The number of bytes of a request's body still to come. */
  let left = 0;
  let reply = small;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (left === 0) {
      const end = chunk.indexOf(headEnd);
      const head = chunk.toString('latin1', 0, end);
      reply = answerTo(head);
      left = Number(contentLength.exec(head)?.[1] ?? 0) - (chunk.length - end - headEnd.length);
    } else {
      left -= chunk.length;
    }
    if (left > 0) return;
    if (reply === last) socket.end(reply);
    else socket.write(reply);
  });
}

for (const port of (process.argv[2] ?? '').split(',').map(Number)) {
  createServer({ noDelay: true }, serve).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
