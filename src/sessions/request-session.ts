import type { SessionClient } from './client.js';
import type { CookieReading } from './cookie.js';
import { SessionGone } from './errors.js';
import { applyEdit, type Edit, type NoSession, type Session, type SessionData } from './session.js';
import type { BeginOptions, SessionStrategy } from './session-strategy.js';

/** The visitor's session, as a request handler sees it. A change is committed when its promise resolves. Changes that
 * are requested in parallel run one after the other. */
export interface SessionContext {
  /** Undefined for an anonymous visitor; `why` then gives the reason. */
  readonly session: Session | undefined;
  readonly why: NoSession | undefined;
  /** Begins a session under a fresh token. Ends the present session, if there is one. */
  begin(user: string, data: SessionData): Promise<void>;
  /**
   * Applies `edit` and resolves with the new data. Rejects with `SessionGone` if there is no session, or it ended
   * meanwhile. Rejects with `TypeError`, before anything is written, if `edit` is async.
   */
  change(edit: Edit): Promise<SessionData>;
  /**
   * Moves the session to a fresh token and applies `edit`. The old token is invalid at once. Rejects as `change` does.
   */
  rotate(edit?: Edit): Promise<void>;
  end(): Promise<void>;
  /** Ends all other sessions of this user. Resolves with their number. Rejects as `change` does. */
  endOthers(): Promise<number>;
  /** The handle of the present session in `Sessions.list`. */
  readonly handle: string | undefined;
}

/** The response of a handler, as a value. So no header is sent before the session is committed. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

export type Handler = (context: SessionContext) => Promise<Reply>;

/** The effects of a request on the headers of its response. */
export interface ResponseEffects {
  /** `clear`: the request ended its session. No other request clears a cookie: see `open`. */
  readonly cookie: 'keep' | 'clear' | { readonly token: string };
  /** True if the response is for one browser only: the request had a session cookie, or began a session. */
  readonly isPersonal: boolean;
  readonly ended: boolean;
}

const noStep = Promise.resolve();

export class RequestSession implements SessionContext {
  readonly #strategy: SessionStrategy;
  readonly #count: (name: string) => void;
  readonly #client: () => SessionClient | undefined;
  /** Resolves when the last step is over. It never rejects. */
  #last: Promise<unknown> = noStep;
  /** The failure of the first step that failed after the handler returned. */
  #failure: { readonly reason: unknown } | undefined;
  #session: Session | undefined;
  #why: NoSession | undefined;
  #cookie: ResponseEffects['cookie'] = 'keep';
  #isPersonal = false;
  #ended = false;
  /** The name of the session cookie of this request. A token is good under its own name only. */
  #cookieName: string | undefined;
  #isOver = false;
  /** The token of the cookie, if it names no session. Its session may have ended a moment ago. */
  #unknownToken: string | undefined;

  /** `client` returns the client of the request. It is called when a session begins or gets a new token. */
  constructor(strategy: SessionStrategy, count: (name: string) => void, client: () => SessionClient | undefined) {
    this.#strategy = strategy;
    this.#count = count;
    this.#client = client;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get why(): NoSession | undefined {
    return this.#why;
  }

  get handle(): string | undefined {
    return this.#session && this.#strategy.handleOf(this.#session);
  }

  /** The effects, as they are when the response is sent. A token that another request replaced meanwhile is not set. */
  get effects(): ResponseEffects {
    return { cookie: this.#confirmCookie(), isPersonal: this.#isPersonal, ended: this.#ended };
  }

  /**
   * Opens the session that the cookie names. A cookie that names no session is not cleared.
   *
   * A request that was sent before a rotation or a login still carries the old token. When its response arrives, the
   * browser may hold the new cookie already. Clearing it would log the user out. The server cannot tell a replaced
   * token from any other dead one, unless it kept every token that it replaced.
   *
   * The price: a browser sends a dead cookie until its next login or until it closes. Each such request costs the same
   * look-up as a live cookie. An app must decide by `session`, never by the presence of the cookie: otherwise it would
   * send a browser with a dead cookie back and forth between the login and its pages.
   */
  async open({ name, token, malformed }: CookieReading): Promise<void> {
    this.#cookieName = name;
    const found = malformed ? 'malformed' : await this.#strategy.open(token, name);
    this.#count(typeof found === 'string' ? found : 'opened');
    if (found === 'unknown' || found === 'revoked') this.#unknownToken = token;
    if (typeof found === 'string') {
      this.#isPersonal = found !== 'absent';
      return this.#forgetSession(found);
    }
    this.#setSession(found);
    if (found.token !== token) this.#cookie = { token: found.token };
  }

  /** Begins a session. The defaults are the name under which `open` looked, and the client of the request. */
  begin(user: string, data: SessionData, options: BeginOptions = {}): Promise<void> {
    return this.#runInOrder(async () => {
      const former = this.#session;
      const issued = await this.#strategy.begin(user, data, {
        cookie: this.#cookieName,
        client: this.#client(),
        ...options,
      });
      if (former !== undefined) await this.#strategy.end(former);
      this.#count('begun');
      this.#setSession(issued.session);
      this.#cookie = { token: issued.token };
    });
  }

  change(edit: Edit): Promise<SessionData> {
    return this.#runInOrder(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const changed = this.#requirePresent(await this.#strategy.change(this.#session, edit));
      const isNewToken = changed.token !== this.#session?.token;
      this.#count('changed');
      this.#setSession(changed.session);
      if (isNewToken) this.#cookie = { token: changed.token };
      return changed.session.record.data;
    });
  }

  rotate(edit: Edit = () => undefined): Promise<void> {
    return this.#runInOrder(async () => {
      if (this.#session === undefined) throw new SessionGone();
      // An edit that throws must do so before the token is replaced.
      applyEdit(this.#session.record.data, edit, Number.POSITIVE_INFINITY);
      const rotated = this.#requirePresent(await this.#strategy.rotate(this.#session, this.#client()));
      this.#count('rotated');
      this.#setSession(rotated.session);
      this.#cookie = { token: rotated.token };
      const edited = this.#requirePresent(await this.#strategy.change(rotated.session, edit, 'reserve'));
      this.#setSession(edited.session);
      this.#cookie = { token: edited.token };
    });
  }

  end(): Promise<void> {
    return this.#runInOrder(async () => {
      if (this.#session !== undefined) await this.#strategy.end(this.#session);
      else if (this.#unknownToken !== undefined) await this.#strategy.endToken?.(this.#unknownToken, this.#cookieName);
      this.#count('ended');
      this.#forgetSession('absent');
      this.#cookie = 'clear';
      this.#ended = true;
    });
  }

  endOthers(): Promise<number> {
    return this.#runInOrder(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const { ended, issued } = this.#requirePresent(await this.#strategy.endOthers(this.#session));
      const isNewToken = issued.token !== this.#session.token;
      this.#setSession(issued.session);
      if (isNewToken) this.#cookie = { token: issued.token };
      return ended;
    });
  }

  /**
   * Ends the request, after the handler returned. Waits for every step that the handler started without waiting for it.
   * A step that fails makes the response fail. A step that starts later is refused, because the response is already
   * decided.
   */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#last;
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  #confirmCookie(): ResponseEffects['cookie'] {
    const { confirmToken } = this.#strategy;
    if (typeof this.#cookie === 'string' || this.#session === undefined || confirmToken === undefined)
      return this.#cookie;
    const token = confirmToken.call(this.#strategy, this.#session);
    return token === undefined ? 'keep' : { token };
  }

  #requirePresent<Outcome extends object>(outcome: Outcome | 'gone'): Outcome {
    if (outcome !== 'gone') return outcome;
    this.#forgetSession('unknown');
    // Not even a renewed token of the session that ended: the browser may have a newer cookie.
    this.#cookie = 'keep';
    throw new SessionGone();
  }

  /** Runs the steps one after the other, even when the handler does not wait for them. Each step starts with the
   * session and the token that the previous step left. */
  #runInOrder<T>(step: () => Promise<T>): Promise<T> {
    if (this.#isOver)
      return Promise.reject(new Error('the request is over: wait for each change before the handler returns'));
    const running = this.#last.then(step);
    // A handler that forgets to wait must not end the process with an unhandled rejection.
    this.#last = running.catch(reason => {
      if (this.#isOver) this.#failure ??= { reason };
    });
    return running;
  }

  #setSession(session: Session): void {
    this.#session = session;
    this.#why = undefined;
    this.#isPersonal = true;
  }

  #forgetSession(why: NoSession): void {
    this.#session = undefined;
    this.#why = why;
  }
}
