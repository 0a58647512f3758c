/*
 * A backend of the soak, in a process of its own, to be killed. Every answer carries the token of its request in head
 * and body. It reports to the parent before it answers: then the message is in the pipe and survives a SIGKILL.
 *
 *   node soak-backend.js <name> [port]
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as think } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { filler } from './wishes.js';

const [name = '', port = '0'] = process.argv.slice(2);
const incarnation = `${name}-${process.pid}`;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  response.setHeader('holdfast-incarnation', incarnation);
  response.setHeader('x-incarnation', incarnation);
  response.setHeader('x-backend', name);
  if (request.url === '/health') response.end('fine');
  else void serve(request, response);
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { 'x-token': token = '', 'x-think': thinkMs = '0', 'x-bytes': bytes = '0' } = request.headers;
  response.setHeader('x-token', token);
  const sum = await checksum(request).catch(() => undefined);
  // The client left in the middle of the body, so nothing was carried out.
  if (sum === undefined) return;
  if (request.method === 'POST') await told({ ran: String(token) });
  if (thinkMs !== '0') await think(Number(thinkMs));
  if (bytes !== '0') response.end(filler(String(token), Number(bytes)));
  else response.end(request.method === 'POST' ? `${token} ${sum}\n` : `${token}\n`);
}

async function checksum(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha1');
  for await (const chunk of request) hash.update(chunk);
  return hash.digest('hex');
}

/** Resolves when the message is in the pipe. */
function told(message: unknown): Promise<void> {
  return new Promise(resolve => process.send?.(message, undefined, {}, () => resolve()));
}

const sockets = new WebSocketServer({ server });
sockets.on('headers', (lines, request) => {
  lines.push(`x-token: ${request.headers['x-token']}`, `x-backend: ${name}`, `x-incarnation: ${incarnation}`);
});
sockets.on('connection', socket => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, binary) => socket.send(data, { binary }));
});

server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') void told({ port: address.port });
});
// The run is over, passed or failed.
process.on('disconnect', () => process.exit(0));
