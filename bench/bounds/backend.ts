/**
 * The backend of bench/bounds.ts, in a process of its own. It sends, receives, stays silent or stalls, as the path
 * says.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { pattern, throttle } from './streams.js';

const server = createServer((request, response) => {
  // The client may have left: some paths test exactly that.
  void answer(request, response).catch(() => response.destroy());
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend');
  const [bytes, rate] = ['bytes', 'rate'].map(name => Number(searchParams.get(name) ?? 0));
  if (pathname === '/push') {
    response.setHeader('content-length', bytes ?? 0);
    await pipeline(pattern(bytes ?? 0), response);
  } else if (pathname === '/take') {
    const hash = createHash('sha256');
    await pipeline(request, throttle(rate ?? 0), hash);
    response.end(hash.digest('hex'));
  } else if (pathname === '/stall') {
    response.setHeader('content-length', 10);
    response.write('half');
  } else if (pathname !== '/never') {
    response.end('fine');
  }
}

server.requestTimeout = 0;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});
process.on('disconnect', () => process.exit());
