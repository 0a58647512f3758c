/**
 * The backends behind every proxy where nginx is not installed: raw sockets and canned answers, one process that listens
 * on as many ports as it is told. It believes its client.
 *
 *   backend.js port[,port...]
 */
import { createServer, type Socket } from 'node:net';
import { bigBody, smallBody } from './answers.js';

const small = answer('application/json', smallBody);
const big = answer('application/octet-stream', bigBody);
const headEnd = '\r\n\r\n';

function answer(type: string, body: string, more = ''): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n${more}Content-Length: ${Buffer.byteLength(body)}${headEnd}${body}`,
  );
}

function serve(socket: Socket): void {
  /** Bytes of a request's body still to come. */
  let left = 0;
  let path = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (left === 0) {
      const end = chunk.indexOf(headEnd);
      const head = chunk.toString('latin1', 0, end);
      path = head.split(' ', 2)[1] ?? '';
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0) - (chunk.length - end - headEnd.length);
    } else {
      left -= chunk.length;
    }
    if (left === 0) socket.write(path === '/big' ? big : small);
  });
}

for (const port of (process.argv[2] ?? '').split(',').map(Number)) {
  createServer({ noDelay: true }, serve).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
