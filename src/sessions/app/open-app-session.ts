import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { DescribeClient } from '../client.js';
import { SessionError, whyOf } from '../errors.js';
import { RequestSession } from '../request-session.js';
import type { Reply } from '../session-context.js';
import type { SessionStrategy } from '../session-strategy.js';
import type { AppCookies, CookiesRead } from './app-cookies.js';
import { type AppSession, BrowserSession } from './app-session.js';
import { holdHead } from './response-head.js';

export interface AppSettings {
  readonly strategy: SessionStrategy;
  readonly cookies: AppCookies;
  /** Maximum number of sessions of one user. */
  readonly maxPerUser: number;
  /** Returns the client of a request, for the list of sessions. */
  readonly clientOf: DescribeClient;
  /** Counts an event under its name. */
  readonly count: (name: string) => void;
  /** Receives each error that makes a response fail. */
  readonly report: (error: unknown) => void;
}

/** Handles a request. The session is committed before the head of the response is sent. */
export type AppListener = (request: IncomingMessage, response: ServerResponse, session: AppSession) => unknown;

/** cookie -> token -> session -> handler -> commit -> cookie -> head and body */
export async function openAppSession(
  settings: AppSettings,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<AppSession> {
  const { strategy, cookies, clientOf, count, report } = settings;
  const read = cookies.read(request);
  const context = new RequestSession(strategy, count, () => clientOf(request));
  const session = new BrowserSession({
    context,
    cookieNames: read.names,
    makeRoom: user => makeRoom(settings, user, context.handle),
    onLate: report,
  });
  try {
    await openFirst(context, read);
  } catch (error) {
    report(error);
    throw error;
  }
  if (response.headersSent) {
    session.finish();
    return session;
  }
  const addHeaders = () => {
    const { effects } = context;
    addSessionHeaders(response, cookies.setCookies(effects, context.session, read), effects.isPersonal);
  };
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

/** Throws a `TypeError` for what is not the result of `sessions`, such as its promise. */
export function assertSessions(kept: unknown, adapter: string): void {
  if (typeof kept === 'object' && kept !== null && 'open' in kept) return;
  throw new TypeError(`${adapter}: expected the sessions that are open: ${adapter}(await sessions({ … }))`);
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

/** Opens the session of the user, or else the anonymous one. */
async function openFirst(context: RequestSession, { member, readVisitor }: CookiesRead): Promise<void> {
  await context.open(member);
  if (context.session !== undefined) return;
  const visitor = readVisitor();
  if (visitor.token !== undefined) await context.open(visitor);
}

function addSessionHeaders(response: ServerResponse, setCookies: readonly string[], isPersonal: boolean): void {
  for (const line of setCookies) response.appendHeader('set-cookie', line);
  if (setCookies.length > 0 || (isPersonal && !response.hasHeader('cache-control')))
    response.setHeader('cache-control', 'no-store');
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

/** Returns the response to a failed request. */
export function buildFailureReply(error: unknown): Reply {
  const isOurs = error instanceof SessionError && error.status !== 500;
  const content = isOurs
    ? { error: error.message, why: whyOf(error) }
    : { error: 'the request could not be handled', why: 'internal' };
  return {
    status: isOurs ? error.status : 500,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...(isOurs ? error.headers : {}),
    },
    body: JSON.stringify(content),
  };
}
