import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * A backend that logs each request that it carries out, before it answers. It keeps its sessions in memory, so a new
 * process has forgotten them. `holdfast conformance` puts it behind the proxy under test.
 *
 * Routes: `/visit` answers; `/hold?on=backend-1` never answers on that backend; `/wait?ms=500` answers later;
 * `/cut?framing=length|chunked&end=fin|rst` ends the connection after half of the answer; `/health`.
 */
const {
  HOST: host,
  PORT: port = '0',
  BACKEND_ID: name = 'backend',
  WITNESS_LOG: log,
  WITNESS_NAMED: named,
} = process.env;
const boot = randomBytes(4).toString('hex');
/** Number of visits of each session. */
const sessions = new Map<string, number>();
const bodyBytesMax = 64 * 1024;
const waitMsMax = 10_000;
const cutBodyBytes = 8_192;
/** The proxy must have passed on the first half before the connection ends. */
const cutAfterMs = 200;

type Memory = 'new' | 'known' | 'forgotten';

function note(request: IncomingMessage, memory: Memory, cookies: readonly string[]): void {
  const { method, url, rawHeaders } = request;
  const line = {
    id: request.headers['x-exchange'] ?? '',
    backend: name,
    boot,
    method,
    url,
    memory,
    rawHeaders,
    cookies,
  };
  if (log !== undefined) appendFileSync(`${log}.${name}`, `${JSON.stringify(line)}\n`);
}

/** Finds the session of the request, or makes one. A session that this process does not know is made again, empty. */
function openSession(request: IncomingMessage): { readonly id: string; readonly memory: Memory } {
  const given = /(?:^|;\s*)app=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
  const id = given ?? randomBytes(8).toString('hex');
  const memory = given === undefined ? 'new' : sessions.has(given) ? 'known' : 'forgotten';
  sessions.set(id, (sessions.get(id) ?? 0) + 1);
  return { id, memory };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://witness');
  if (named !== undefined) response.setHeader('holdfast-incarnation', boot);
  if (url.pathname === '/health') return answerCheck(response);
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return void response.writeHead(413).end();
  }
  const { id, memory } = openSession(request);
  const cookies = memory === 'known' ? [] : [`app=${id}; Path=/; HttpOnly`];
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  response.setHeader('x-witness', `${name}#${boot}`);
  response.setHeader('cache-control', 'no-store');
  note(request, memory, cookies);
  if (url.pathname === '/hold' && url.searchParams.get('on') === name) return;
  if (url.pathname === '/cut') return cut(response, url.searchParams);
  const waitMs = url.pathname === '/wait' ? Math.min(Number(url.searchParams.get('ms')) || 0, waitMsMax) : 0;
  if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ backend: name, boot, memory, visits: sessions.get(id) }));
}

/** Counts the checks, one byte each: an experiment begins right after one. */
function answerCheck(response: ServerResponse): void {
  if (log !== undefined) appendFileSync(`${log}.${name}.checks`, '.');
  response.setHeader('holdfast-backend', name).end('ok');
}

/** Sends half of an answer, then ends the connection: in order (FIN), or with a reset (RST). */
function cut(response: ServerResponse, options: URLSearchParams): void {
  const half = 'x'.repeat(cutBodyBytes / 2);
  response.setHeader('content-type', 'text/plain');
  if (options.get('framing') !== 'chunked') response.setHeader('content-length', cutBodyBytes);
  response.write(half);
  const { socket } = response;
  setTimeout(() => {
    if (options.get('end') === 'rst') socket?.resetAndDestroy();
    else socket?.destroy();
  }, cutAfterMs);
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), host ?? '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
