import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply, Sessions, Visit } from '#src/sessions/sessions.js';
import { readCall } from './call.js';
import { NotUnderstood, Refusal } from './refusal.js';
import { json, refused } from './reply.js';
import { matchRoute, type Route, type VisitAction } from './route.js';

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
    send(response, replyTo(error));
  }
}

export function send(response: ServerResponse, reply: Reply): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body ?? '') });
  response.end(reply.body);
}

/** Refusals become answers here, before the sessions see them: they are no failure of theirs. */
async function actOrRefuse(act: VisitAction, visit: Visit, call: Parameters<VisitAction>[0]): Promise<Reply> {
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
