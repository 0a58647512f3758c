import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TcpAddress } from '../options.js';
import { createSmallServer, listenAt, type SmallListener, type TakenSocket } from './small-server.js';

export interface Readiness {
  /** Returns why the proxy should get no requests now; undefined when it is ready. */
  readonly notReady: () => string | undefined;
}

export const healthPaths: readonly string[] = ['/live', '/ready'];

/**
 * Serves `/live` and `/ready` and nothing else, so it may be reached from other machines. Rejects with the system's
 * error when the port cannot be bound. `close` is idempotent.
 */
export async function startHealthListener(
  address: TcpAddress,
  readiness: Readiness,
  take?: TakenSocket,
): Promise<SmallListener> {
  const server = createSmallServer((request, response) => {
    if (!answerHealth(request, response, readiness))
      writeLine(response, 404, `unknown path. Known: ${healthPaths.join(', ')}.`);
  });
  return await listenAt(server, address, take);
}

/**
 * Answers GET and HEAD of `/live` and `/ready`. Returns false, and writes nothing, for every other request. The answers
 * name no backend, so every client may read them.
 */
export function answerHealth(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  { notReady }: Readiness,
): boolean {
  const [path = ''] = url.split('?');
  if (!healthPaths.includes(path) || (method !== 'GET' && method !== 'HEAD')) return false;
  const reason = path === '/ready' ? notReady() : undefined;
  writeLine(response, reason === undefined ? 200 : 503, reason ?? path.slice(1));
  return true;
}

function writeLine(response: ServerResponse, status: number, line: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${line}\n`);
}
