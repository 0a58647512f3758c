import type { CookieReading } from './cookie.js';
import { SessionGone } from './errors.js';
import type { NoSession, Session, SessionData } from './session.js';
import type { Issued, SessionStrategy } from './session-strategy.js';
import type { SessionContext } from './visit.js';

/** What a visit leaves in the headers of its answer. */
export interface Traces {
  /** `keep`: the browser's cookie is right as it is; `clear`: it names no session. */
  readonly cookie: 'keep' | 'clear' | { readonly token: string };
  readonly hadSession: boolean;
  readonly ended: boolean;
}

export class LiveVisit implements SessionContext {
  readonly #strategy: SessionStrategy;
  readonly #count: (name: string) => void;
  readonly #underWay = new Set<Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();
  #session: Session | undefined;
  #why: NoSession | undefined;
  #traces: Traces = { cookie: 'keep', hadSession: false, ended: false };
  #isOver = false;

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

  get traces(): Traces {
    return this.#traces;
  }

  /**
   * A cookie that names no session is cleared, or every request would bring it along and have it looked up. The price: a
   * request that overlaps a rotation comes with the former token, and if its answer is the last one it clears the new
   * cookie too. Nobody can tell: which cookie the browser holds by then is known to the browser alone.
   */
  async open({ token, malformed }: CookieReading): Promise<void> {
    const found = malformed ? 'malformed' : await this.#strategy.open(token);
    this.#count(typeof found === 'string' ? found : 'opened');
    if (typeof found === 'string') return this.#leave(found, found === 'absent' ? 'keep' : 'clear');
    this.#enter(found);
    if (found.token !== token) this.#trace({ cookie: { token: found.token } });
  }

  begin(user: string, data: SessionData): Promise<void> {
    return this.#track(async () => {
      const former = this.#session;
      const issued = await this.#strategy.begin(user, data);
      if (former !== undefined) await this.#strategy.end(former);
      this.#count('begun');
      this.#enter(issued.session);
      this.#trace({ cookie: { token: issued.token } });
    });
  }

  change(edit: (data: SessionData) => void): Promise<SessionData> {
    return this.#track(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const changed = this.#present(await this.#strategy.change(this.#session, edit));
      const isNewToken = changed.token !== this.#session?.token;
      this.#count('changed');
      this.#enter(changed.session);
      if (isNewToken) this.#trace({ cookie: { token: changed.token } });
      return changed.session.record.data;
    });
  }

  rotate(edit: (data: SessionData) => void = () => undefined): Promise<void> {
    return this.#track(async () => {
      if (this.#session === undefined) throw new SessionGone();
      const rotated = this.#present(await this.#strategy.rotate(this.#session));
      this.#count('rotated');
      this.#enter(rotated.session);
      this.#trace({ cookie: { token: rotated.token } });
      const edited = this.#present(await this.#strategy.change(rotated.session, edit));
      this.#enter(edited.session);
      this.#trace({ cookie: { token: edited.token } });
    });
  }

  end(): Promise<void> {
    return this.#track(async () => {
      if (this.#session !== undefined) await this.#strategy.end(this.#session);
      this.#count('ended');
      this.#leave('absent', 'clear');
      this.#trace({ ended: true });
    });
  }

  /**
   * Called when the handler is done. What it started and did not wait for is waited for here, and fails the answer if
   * it fails; what it starts later is refused, because the answer that would promise it has gone.
   */
  async close(): Promise<void> {
    this.#isOver = true;
    const steps = await Promise.allSettled(this.#underWay);
    const failed = steps.find(step => step.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #present(outcome: Issued | 'gone'): Issued {
    if (outcome !== 'gone') return outcome;
    this.#leave('unknown', 'clear');
    throw new SessionGone();
  }

  /** One step after the other, also where the handler does not wait: each begins with the session, and with the token,
   * that the one before has left. */
  #track<T>(step: () => Promise<T>): Promise<T> {
    if (this.#isOver) return Promise.reject(new Error('the visit is over: wait for a change before answering'));
    const running = this.#last.then(step).finally(() => this.#underWay.delete(running));
    this.#underWay.add(running);
    // A handler that forgot to wait must not end the whole process with an unhandled rejection.
    this.#last = running.catch(() => undefined);
    return running;
  }

  #enter(session: Session): void {
    this.#session = session;
    this.#why = undefined;
    this.#trace({ hadSession: true });
  }

  #leave(why: NoSession, cookie: 'keep' | 'clear'): void {
    this.#session = undefined;
    this.#why = why;
    this.#trace({ cookie });
  }

  #trace(traces: Partial<Traces>): void {
    this.#traces = { ...this.#traces, ...traces };
  }
}
