import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import type { Sessions } from '#src/sessions/sessions.js';
import { readCall } from './call.js';
import { BodyTooLarge, json, NotUnderstood, Refusal, replyToRefusal } from './refusal.js';
import { matchRoute, type Route, type SessionAction } from './routes/route.js';

/** Answers a request: find its route -> read and check it -> (open the session ->) act (-> commit) -> send. */
export async function answer(
  routes: readonly Route[],
  sessions: Sessions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { path, query } = targetOf(request);
    const { route, parameter } = matchRoute(routes, request.method ?? '', path);
    const call = await readCall(request, query, parameter);
    if (route.kind === 'plain') send(response, await route.act(call));
    else await sessions.respond(request, response, context => actOrRefuse(route.act, context, call));
  } catch (error) {
    if (error instanceof BodyTooLarge) await sendAndDrop(request, response, replyTo(error));
    else send(response, replyTo(error));
  }
}

/** Time for which the rest of a too large body is read and dropped. */
const lingerMs = 1_000;

/** Sends the whole answer, and closes the connection after the body, or after a time-out. Closing a connection with
 * unread bytes of the request resets it. The answer would then be lost, at a proxy too. */
async function sendAndDrop(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body ?? '') });
  response.write(reply.body);
  request.resume();
  await finished(request, { signal: AbortSignal.timeout(lingerMs) }).catch(() => undefined);
  response.end();
}

export function send(response: ServerResponse, reply: Reply): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body ?? '') });
  response.end(reply.body);
}

/** Turns refusals into answers before the sessions see them: a refusal is no failure of the sessions. */
async function actOrRefuse(
  act: SessionAction,
  context: SessionContext,
  call: Parameters<SessionAction>[0],
): Promise<Reply> {
  try {
    return await act(call, context);
  } catch (error) {
    if (error instanceof Refusal) return replyToRefusal(error);
    throw error;
  }
}

/** Returns the path as it was sent, not normalised: `..` is a valid sku. Absolute form is valid too (RFC 9112 section
 * 3.2.2). */
function targetOf(request: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    throw new NotUnderstood('the Host header is missing (RFC 9112 section 3.2)');
  }
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)$/i.exec(request.url ?? '') ?? [];
  return { path, query: new URLSearchParams(query) };
}

function replyTo(error: unknown): Reply {
  if (error instanceof Refusal) return replyToRefusal(error);
  console.error(error);
  return json(500, { error: 'the shop made a mistake; its log says which', why: 'internal' });
}
