import type { CookieReading } from './cookie.js';
import { SessionGone } from './errors.js';
import type { NoSession, Session, SessionData } from './session.js';
import type { SessionContext } from './session-context.js';
import type { SessionStrategy } from './session-strategy.js';

/** The effects of a request on the headers of its response. */
export interface ResponseEffects {
  /** `keep`: the cookie of the browser is right. `clear`: it names no session. */
  readonly cookie: 'keep' | 'clear' | { readonly token: string };
  readonly hadSession: boolean;
  readonly ended: boolean;
}

export class RequestSession implements SessionContext {
  readonly #strategy: SessionStrategy;
  readonly #count: (name: string) => void;
  readonly #pending = new Set<Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();
  #session: Session | undefined;
  #why: NoSession | undefined;
  #effects: ResponseEffects = { cookie: 'keep', hadSession: false, ended: false };
  #isOver = false;
  /** The token of the cookie, if it names no session. Its session may have ended a moment ago. */
  #unknownToken: string | undefined;

  constructor(strategy: SessionStrategy, count: (name: string) => void) {
    this.#strategy = strategy;
    this.#count = count;
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

  get effects(): ResponseEffects {
    return this.#effects;
  }

  /**
   * Opens the session that the cookie names. A cookie that names no session is cleared, because every later request
   * would send it and cost a look-up.
   *
   * The price is a race: a request that overlaps a rotation still carries the old token. If its response arrives last,
   * it clears the new cookie too. The server cannot prevent this, because only the browser knows which cookie it holds.
   */
  async open({ token, malformed }: CookieReading): Promise<void> {
    const found = malformed ? 'malformed' : await this.#strategy.open(token);
    this.#count(typeof found === 'string' ? found : 'opened');
    if (found === 'unknown' || found === 'revoked') this.#unknownToken = token;
    if (typeof found === 'string') return this.#clearSession(found, found === 'absent' ? 'keep' : 'clear');
    this.#setSession(found);
    if (found.token !== token) this.#addEffects({ cookie: { token: found.token } });
  }

  begin(user: string, data: SessionData): Promise<void> {
    return this.#runInOrder(async () => {
      const former = this.#session;
      const issued = await this.#strategy.begin(user, data);
      if (former !== undefined) await this.#strategy.end(former);
      this.#count('begun');
      this.#setSession(issued.session);
      this.#addEffects({ cookie: { token: issued.token } });
    });
  }

  change(edit: (data: SessionData) => void): Promise<SessionData> {
    return this.#runInOrder(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const changed = this.#requirePresent(await this.#strategy.change(this.#session, edit));
      const isNewToken = changed.token !== this.#session?.token;
      this.#count('changed');
      this.#setSession(changed.session);
      if (isNewToken) this.#addEffects({ cookie: { token: changed.token } });
      return changed.session.record.data;
    });
  }

  rotate(edit: (data: SessionData) => void = () => undefined): Promise<void> {
    return this.#runInOrder(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const rotated = this.#requirePresent(await this.#strategy.rotate(this.#session));
      this.#count('rotated');
      this.#setSession(rotated.session);
      this.#addEffects({ cookie: { token: rotated.token } });
      const edited = this.#requirePresent(await this.#strategy.change(rotated.session, edit));
      this.#setSession(edited.session);
      this.#addEffects({ cookie: { token: edited.token } });
    });
  }

  end(): Promise<void> {
    return this.#runInOrder(async () => {
      if (this.#session !== undefined) await this.#strategy.end(this.#session);
      else if (this.#unknownToken !== undefined) await this.#strategy.endToken?.(this.#unknownToken);
      this.#count('ended');
      this.#clearSession('absent', 'clear');
      this.#addEffects({ ended: true });
    });
  }

  endOthers(): Promise<number> {
    return this.#runInOrder(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const { ended, issued } = this.#requirePresent(await this.#strategy.endOthers(this.#session));
      const isNewToken = issued.token !== this.#session.token;
      this.#setSession(issued.session);
      if (isNewToken) this.#addEffects({ cookie: { token: issued.token } });
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
    const steps = await Promise.allSettled(this.#pending);
    const failed = steps.find(step => step.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #requirePresent<Outcome extends object>(outcome: Outcome | 'gone'): Outcome {
    if (outcome !== 'gone') return outcome;
    this.#clearSession('unknown', 'clear');
    throw new SessionGone();
  }

  /** Runs the steps one after the other, even when the handler does not wait for them. Each step starts with the
   * session and the token that the previous step left. */
  #runInOrder<T>(step: () => Promise<T>): Promise<T> {
    if (this.#isOver)
      return Promise.reject(new Error('the request is over: wait for each change before the handler returns'));
    const running = this.#last.then(step).finally(() => this.#pending.delete(running));
    this.#pending.add(running);
    // A handler that forgets to wait must not end the process with an unhandled rejection.
    this.#last = running.catch(() => undefined);
    return running;
  }

  #setSession(session: Session): void {
    this.#session = session;
    this.#why = undefined;
    this.#addEffects({ hadSession: true });
  }

  #clearSession(why: NoSession, cookie: 'keep' | 'clear'): void {
    this.#session = undefined;
    this.#why = why;
    this.#addEffects({ cookie });
  }

  #addEffects(effects: Partial<ResponseEffects>): void {
    this.#effects = { ...this.#effects, ...effects };
  }
}
