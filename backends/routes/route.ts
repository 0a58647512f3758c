import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { SessionGone } from '#src/sessions/errors.js';
import type { Reply, SessionContext } from '#src/sessions/request-session.js';
import type { Sessions } from '#src/sessions/sessions.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Accounts } from '../accounts/accounts.js';
import type { Passwords } from '../accounts/passwords.js';
import type { AddressTries } from '../accounts/tries.js';
import { type Call, readCall, refuseOtherBrowser } from '../call.js';
import { BodyTooLarge, json, NotFound, NotUnderstood, Refusal, replyToRefusal, WrongMethod } from '../refusal.js';

interface RoutePattern {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** A path. Its last segment may be `:name`, which matches one non-empty segment. */
  readonly path: string;
}

/** A route that does not read the session, and therefore does not need the store. */
interface PlainRoute extends RoutePattern {
  readonly kind: 'plain';
  readonly act: (call: Call) => Reply | Promise<Reply>;
}

export type SessionAction = (call: Call, context: SessionContext) => Promise<Reply>;

/** A route that reads the session of the visitor, who may be anonymous. */
interface SessionRoute extends RoutePattern {
  readonly kind: 'session';
  readonly act: SessionAction;
}

export type Route = PlainRoute | SessionRoute;

export function plainRoute(method: PlainRoute['method'], path: string, act: PlainRoute['act']): PlainRoute {
  return { kind: 'plain', method, path, act };
}

/** Makes a route that refuses a session from another browser. */
export function sessionRoute(method: SessionRoute['method'], path: string, act: SessionAction): SessionRoute {
  return anyBrowserRoute(method, path, async (call, context) => {
    refuseOtherBrowser(call.agent, context.session?.record.data);
    return act(call, context);
  });
}

/** Makes a route that accepts a session from another browser: the routes that end a session or ask for the password. */
export function anyBrowserRoute(method: SessionRoute['method'], path: string, act: SessionAction): SessionRoute {
  return { kind: 'session', method, path, act };
}

type MemberAction = (call: Call, context: SessionContext, user: string) => Promise<Reply>;

/** Makes a route for logged-in users. */
export function memberRoute(method: SessionRoute['method'], path: string, act: MemberAction): SessionRoute {
  return sessionRoute(method, path, requireMember(act));
}

/** Answers 401 with the reason if no user is logged in. */
export function requireMember(act: MemberAction): SessionAction {
  return async (call, context) => {
    const user = context.session?.record.user;
    if (user !== undefined) return act(call, context, user);
    return json(401, { error: 'please log in', why: context.why ?? null, affinity: call.affinity });
  };
}

/** The services that the routes about accounts and logins need. */
export interface Members {
  readonly accounts: Accounts;
  readonly passwords: Passwords;
  readonly addresses: AddressTries;
  readonly keys: () => KeyRing;
  /** Padding in every session. */
  readonly ballast: string;
  readonly sessions: Pick<Sessions, 'list' | 'endOne' | 'endAll' | 'endEveryone'>;
}

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

interface Match {
  readonly route: Route;
  readonly parameter: string;
}

/** Finds the route. Throws `NotFound` for an unknown path, and `WrongMethod` if the path has other methods. HEAD uses
 * the route of GET. */
function matchRoute(routes: readonly Route[], method: string, path: string): Match {
  const wanted = method === 'HEAD' ? 'GET' : method;
  for (const route of routes) {
    const parameter = route.method === wanted ? parameterOf(route.path, path) : undefined;
    if (parameter !== undefined) return { route, parameter };
  }
  const here = routes.filter(route => parameterOf(route.path, path) !== undefined);
  if (here.length === 0) throw new NotFound(path, [...new Set(routes.map(route => route.path))]);
  throw new WrongMethod(method, path, here.flatMap(allowedBy));
}

function parameterOf(pattern: string, path: string): string | undefined {
  const nameAt = pattern.indexOf(':');
  if (nameAt === -1) return path === pattern ? '' : undefined;
  const rest = path.startsWith(pattern.slice(0, nameAt)) ? path.slice(nameAt) : '';
  return rest === '' || rest.includes('/') ? undefined : rest;
}

function allowedBy({ method }: Route): string[] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method];
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

function replyTo(error: unknown): Reply {
  if (error instanceof Refusal) return replyToRefusal(error);
  console.error(error);
  return json(500, { error: 'the shop made a mistake; its log says which', why: 'internal' });
}

export function send(response: ServerResponse, reply: Reply): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(reply.body ?? '') });
  response.end(reply.body);
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

/**
 * Writes sessions in a schema, and reads only sessions of the same schema. An app that cannot read a session of its
 * other version treats the visitor as anonymous in the same way. Undefined: every session can be read.
 */
export function withSchema(schema: string | undefined, routes: readonly Route[]): readonly Route[] {
  if (schema === undefined) return routes;
  return routes.map(route =>
    route.kind === 'plain' ? route : { ...route, act: (call, context) => route.act(call, hideOthers(schema, context)) },
  );
}

/** Hides a session of another schema. A login still ends it, and so does a logout. */
function hideOthers(schema: string, context: SessionContext): SessionContext {
  const isHidden = () => context.session !== undefined && context.session.record.data.schema !== schema;
  const readable = (): SessionContext => {
    if (isHidden()) throw new SessionGone();
    return context;
  };
  return {
    get session() {
      return isHidden() ? undefined : context.session;
    },
    get why() {
      return isHidden() ? 'malformed' : context.why;
    },
    get handle() {
      return isHidden() ? undefined : context.handle;
    },
    begin: (user, data) => context.begin(user, { ...data, schema }),
    change: async edit => readable().change(edit),
    rotate: async edit => readable().rotate(edit),
    end: () => context.end(),
    endOthers: async () => readable().endOthers(),
  };
}
