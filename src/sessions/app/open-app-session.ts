import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { DescribeClient } from '../client.js';
import { type CookieOptions, type CookieReading, readCookie, SessionCookie } from '../cookie.js';
import { SessionError, whyOf } from '../errors.js';
import { type Reply, RequestSession, type ResponseEffects } from '../request-session.js';
import { isRemembered, type Session, type SessionLimits } from '../session.js';
import type { SessionStrategy } from '../session-strategy.js';
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
    const setCookies = cookies.setCookies(effects, { session: context.session, user: session.user }, read);
    addSessionHeaders(response, setCookies, effects.isPersonal);
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

/** The cookies of a request. */
interface CookiesRead {
  readonly isSecure: boolean;
  readonly member: CookieReading;
  readonly names: { readonly member: string; readonly visitor: string };
  /** Reads the cookie of an anonymous session. Most requests do not need it. */
  readVisitor(): CookieReading;
}

/**
 * The two cookies of an app: one names the session of a user, the other an anonymous session.
 *
 * A request that was sent before a login carries an old token, and its response may arrive after that of the login. If
 * it begins an anonymous session, its cookie must not replace that of the login: the user would be logged out.
 */
export class AppCookies {
  readonly #member: SessionCookie;
  readonly #visitor: SessionCookie;
  readonly #limits: SessionLimits;
  readonly #now: () => number;

  constructor(options: CookieOptions = {}, limits: SessionLimits, now: () => number) {
    this.#member = new SessionCookie(options);
    this.#visitor = new SessionCookie({ ...options, name: `${options.name ?? 'session'}-visitor` });
    this.#limits = limits;
    this.#now = now;
  }

  read(request: IncomingMessage): CookiesRead {
    const isSecure = this.#member.isSecure(request);
    const { cookie } = request.headers;
    const names = { member: this.#member.nameOf(isSecure), visitor: this.#visitor.nameOf(isSecure) };
    const readVisitor = () => readCookie(cookie, names.visitor);
    return { isSecure, names, member: readCookie(cookie, names.member), readVisitor };
  }

  /** Returns the Set-Cookie values. `[]`: the browser keeps its cookies. An anonymous session has no `user`. */
  setCookies(
    effects: ResponseEffects,
    { session, user }: { readonly session: Session | undefined; readonly user: string | undefined },
    { isSecure, readVisitor }: CookiesRead,
  ): readonly string[] {
    if (effects.cookie === 'keep') return [];
    const clearMember = effects.ended && user === undefined ? [this.#member.clear(isSecure)] : [];
    const isVisitor = effects.cookie !== 'clear' && user === undefined;
    if (isVisitor) return [...clearMember, this.#visitor.set(effects.cookie.token, isSecure)];
    const clearVisitor = readVisitor().token === undefined ? [] : [this.#visitor.clear(isSecure)];
    if (effects.cookie === 'clear') return [...clearVisitor, ...clearMember];
    return [...clearVisitor, this.#member.set(effects.cookie.token, isSecure, this.#maxAgeS(session))];
  }

  /** The cookie of a remembered session outlives the browser. */
  #maxAgeS(session: Session | undefined): number | undefined {
    if (session === undefined || !isRemembered(session.record, this.#limits)) return undefined;
    return Math.ceil((session.record.absoluteUntilMs - this.#now()) / 1000);
  }
}
