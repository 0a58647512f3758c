import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { readCookie, type SessionCookie } from '../cookie.js';
import { RequestSession } from '../request-session.js';
import type { SessionStrategy } from '../session-strategy.js';
import { type AppSession, BrowserSession } from './app-session.js';
import { buildFailureReply } from './failure-reply.js';
import { holdHead } from './response-head.js';

export interface AppSettings {
  readonly strategy: SessionStrategy;
  readonly cookie: SessionCookie;
  /** Maximum number of sessions of one user. */
  readonly maxPerUser: number;
  /** Counts an event under its name. */
  readonly count: (name: string) => void;
  /** Receives each error that makes a response fail. */
  readonly report: (error: unknown) => void;
  /** Returns the Set-Cookie value for a response with this status. Undefined: the cookie stays as it is. */
  readonly buildCookieHeader: (
    context: RequestSession,
    secure: boolean,
    isStoreUnavailable: boolean,
  ) => string | undefined;
}

/** Handles a request. The session is committed before the head of the response is sent. */
export type AppListener = (request: IncomingMessage, response: ServerResponse, session: AppSession) => unknown;

/** cookie -> token -> session -> handler -> commit -> cookie -> head and body */
export async function openAppSession(
  settings: AppSettings,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<AppSession> {
  const { strategy, cookie, count, report } = settings;
  const isSecure = cookie.isSecure(request);
  const context = new RequestSession(strategy, count);
  const session = new BrowserSession({
    context,
    makeRoom: user => makeRoom(settings, user, context.handle),
    onLate: report,
  });
  await context.open(readCookie(request.headers.cookie, cookie.nameOf(isSecure))).catch(error => {
    report(error);
    throw error;
  });
  const addHeaders = () => addSessionHeaders(settings, context, response, isSecure);
  holdHead(response, {
    settle: () => session.finish(),
    addHeaders,
    replace: error => {
      report(error);
      sendFailure(response, error, addHeaders);
    },
  });
  return session;
}

/** Returns a listener for `createServer` that opens the session first. An error of the handler becomes a failure reply. */
export function listenWith(settings: AppSettings, handler: AppListener): RequestListener {
  return async (request, response) => {
    try {
      await handler(request, response, await openAppSession(settings, request, response));
    } catch (error) {
      settings.report(error);
      sendFailure(response, error, () => undefined);
    }
  };
}

function addSessionHeaders(
  { buildCookieHeader }: AppSettings,
  context: RequestSession,
  response: ServerResponse,
  isSecure: boolean,
): void {
  const line = buildCookieHeader(context, isSecure, response.statusCode === 503);
  if (line !== undefined) response.appendHeader('set-cookie', line);
  const isPrivate = context.effects.hadSession && !response.hasHeader('cache-control');
  if (line !== undefined || isPrivate) response.setHeader('cache-control', 'no-store');
}

/** Sends the failure reply. If even that fails, or the head was sent already, it closes the connection. */
function sendFailure(response: ServerResponse, error: unknown, addHeaders: () => void): void {
  try {
    if (response.headersSent) throw error;
    const { status, headers = {}, body } = buildFailureReply(error);
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    addHeaders();
    response.end(body);
  } catch {
    response.destroy();
  }
}

/** Ends the oldest sessions of a user, so that one more is not too many. The present session ends anyway. Logins at the
 * same moment may exceed the maximum; the next login corrects it. */
async function makeRoom({ strategy, maxPerUser }: AppSettings, user: string, present: string | undefined) {
  if (maxPerUser === Number.POSITIVE_INFINITY) return;
  const others = (await strategy.list(user)).filter(({ handle }) => handle !== present);
  const oldestFirst = others.toSorted((one, other) => one.createdAtMs - other.createdAtMs);
  const surplus = oldestFirst.slice(0, Math.max(0, others.length - maxPerUser + 1));
  await Promise.all(surplus.map(({ handle }) => strategy.endOne(user, handle)));
}
