import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import type { Sessions } from '#src/sessions/sessions.js';
import type { Reply, SessionContext } from '#src/sessions/visit.js';
import { readCall } from './call.js';
import { BodyTooLarge, json, NotUnderstood, Refusal, refused } from './refusal.js';
import { matchRoute, type Route, type VisitAction } from './routes/route.js';

/** request -> its route -> read and check it whole -> (open the session ->) act (-> commit) -> send */
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
    else await sessions.respond(request, response, visit => actOrRefuse(route.act, visit, call));
  } catch (error) {
    if (error instanceof BodyTooLarge) await sendAndDrop(request, response, replyTo(error));
    else send(response, replyTo(error));
  }
}

/** For so long the rest of a body that is too large is read and dropped. */
const lingerMs = 1_000;

/**
 * Whoever closes a connection with bytes of the request unread resets it, and the answer is lost on the way, at a proxy
 * too. So the whole answer leaves first, and the connection ends when the body has, or has had its time.
 */
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

/** Refusals become answers here, before the sessions see them: they are no failure of theirs. */
async function actOrRefuse(act: VisitAction, visit: SessionContext, call: Parameters<VisitAction>[0]): Promise<Reply> {
  try {
    return await act(call, visit);
  } catch (error) {
    if (error instanceof Refusal) return refused(error);
    throw error;
  }
}

/** The path as it was sent, not normalised: `..` is a legal sku. Absolute form is legal too (RFC 9112 section 3.2.2). */
function targetOf(request: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    throw new NotUnderstood('the Host header is missing (RFC 9112 section 3.2)');
  }
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)$/i.exec(request.url ?? '') ?? [];
  return { path, query: new URLSearchParams(query) };
}

function replyTo(error: unknown): Reply {
  if (error instanceof Refusal) return refused(error);
  console.error(error);
  return json(500, { error: 'the shop made a mistake; its log says which', why: 'internal' });
}
