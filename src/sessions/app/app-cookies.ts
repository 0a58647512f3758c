import type { IncomingMessage } from 'node:http';
import { type CookieOptions, type CookieReading, readCookie, SessionCookie } from '../cookie.js';
import type { ResponseEffects } from '../request-session.js';
import { isRemembered, type Session, type SessionLimits } from '../session.js';
import { userNameOf } from './anonymous.js';

/** The cookies of a request. */
export interface CookiesRead {
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

  /** Returns the Set-Cookie values. `[]`: the browser keeps its cookies. */
  setCookies(
    effects: ResponseEffects,
    session: Session | undefined,
    { isSecure, readVisitor }: CookiesRead,
  ): readonly string[] {
    if (effects.cookie === 'keep') return [];
    const user = userNameOf(session?.record.user);
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
