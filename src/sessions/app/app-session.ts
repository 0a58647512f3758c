import { randomBytes } from 'node:crypto';
import { SessionGone } from '../errors.js';
import { successorPrefix } from '../outdated-tokens.js';
import type { RequestSession } from '../request-session.js';
import { applyEdit, type Edit, editExample, type SessionData } from '../session.js';

/**
 * The data of a session: plain JSON. Declare the fields of your app once:
 *
 *   declare module 'holdfast/sessions' { interface AppData { cart?: string[] } }
 */
export interface AppData {
  [name: string]: unknown;
}

/**
 * Changes the draft in place. It must be synchronous and may run several times: after a concurrent change, it runs
 * again on the newer data. What it returns is ignored.
 */
export type AppEdit<Result> = (
  data: AppData,
) => Result extends PromiseLike<unknown> ? 'an edit must not be async: wait first, then change the data' : Result;

export interface LoginOptions {
  /** True: the limits `limits.remember` apply, and the cookie outlives the browser. Default: false. */
  readonly remember?: boolean;
}

/**
 * The visitor's session, as a request handler sees it. Each change is committed before the head of the response is
 * sent. If it cannot be committed, the response is an error: 503 with Retry-After when the store is unreachable.
 *
 * After the head was sent, every change rejects with `HeadSent`.
 */
export interface AppSession {
  /** The name of the user. Undefined before a login, also while an anonymous session has data. */
  readonly user: string | undefined;
  /** The data, frozen. `{}` where there is no session. Only `change` and `login` change it. */
  readonly data: Readonly<AppData>;
  /** The name of this session in `Sessions.list`. Undefined where there is none. */
  readonly handle: string | undefined;
  /**
   * Applies `edit` and resolves with the new data, when it is committed. Begins an anonymous session if there is none.
   * An edit that changes nothing writes nothing. Rejects with `SessionGone` (401) if the session ended meanwhile, with
   * `SessionConflict` (409) after five lost races, with `SessionTooLarge` (413), or with `StoreUnavailable` (503).
   */
  change<Result>(edit: AppEdit<Result>): Promise<Readonly<AppData>>;
  /**
   * Begins a session of `user` under a fresh id, and ends the present one. The data of an anonymous session is kept, as
   * `edit` leaves it. The data of another user is never kept. Rejects as `change` does.
   */
  login<Result>(user: string, edit?: AppEdit<Result>, options?: LoginOptions): Promise<void>;
  /** Ends the session and clears the cookie. A no-op where there is none. */
  logout(): Promise<void>;
  /** Ends all other sessions of this user. Resolves with their number. Rejects with `SessionGone` before a login. */
  endOthers(): Promise<number>;
}

export interface AppSessionSettings {
  readonly context: RequestSession;
  /** The names of the cookies of a user and of an anonymous visitor. */
  readonly cookieNames: { readonly member: string; readonly visitor: string };
  /** Called before each login: makes room for one more session of this user. */
  readonly makeRoom: (user: string) => Promise<void>;
  readonly onLate: (error: Error) => void;
}

/** The response has begun, so the browser would never learn of the change. */
export class HeadSent extends Error {
  constructor() {
    super('the head of the response was sent already: change the session before the first byte, and await the change');
    this.name = 'HeadSent';
  }
}

const noStep = Promise.resolve();

export class BrowserSession implements AppSession {
  readonly #context: RequestSession;
  readonly #settings: AppSessionSettings;
  readonly #steps: Step<unknown>[] = [];
  #isOver = false;
  /** The session ended while the request was handled. Then a change must not begin an anonymous one. */
  #isGone = false;

  constructor(settings: AppSessionSettings) {
    this.#context = settings.context;
    this.#settings = settings;
  }

  get user(): string | undefined {
    return userNameOf(this.#context.session?.record.user);
  }

  get data(): Readonly<AppData> {
    const data = this.#context.session?.record.data ?? {};
    freeze(data);
    return data;
  }

  get handle(): string | undefined {
    return this.#context.handle;
  }

  change<Result>(edit: AppEdit<Result>): Promise<Readonly<AppData>> {
    return this.#run(async () => {
      if (this.#isGone) throw new SessionGone();
      try {
        if (this.#context.session !== undefined) await this.#context.change(toEdit(edit));
        else await this.#beginAnonymous(toEdit(edit));
      } catch (error) {
        this.#isGone = error instanceof SessionGone;
        throw error;
      }
      return this.data;
    });
  }

  login<Result>(user: string, edit?: AppEdit<Result>, { remember = false }: LoginOptions = {}): Promise<void> {
    return this.#run(async () => {
      assertUserName(user);
      await this.#settings.makeRoom(user);
      const kept = await this.#takeOver(user);
      const edited = edit && applyEdit(kept, toEdit(edit), Number.POSITIVE_INFINITY);
      await this.#context.begin(user, edited?.data ?? kept, { cookie: this.#settings.cookieNames.member, remember });
      this.#isGone = false;
    });
  }

  logout(): Promise<void> {
    return this.#run(() => this.#context.end());
  }

  endOthers(): Promise<number> {
    return this.#run(async () => {
      if (this.user === undefined) throw new SessionGone();
      return this.#context.endOthers();
    });
  }

  /**
   * Ends the request: later steps are refused. Returns undefined if there is nothing to wait for. Otherwise resolves
   * when all steps are done, and rejects if a step failed and no code of the handler saw it.
   */
  finish(): Promise<void> | undefined {
    this.#isOver = true;
    const doubtful = this.#steps.filter(({ state, isSeen }) => state === 'running' || (state === 'failed' && !isSeen));
    return doubtful.length === 0 ? undefined : Promise.all(doubtful).then(() => undefined);
  }

  async #beginAnonymous(edit: Edit): Promise<void> {
    const begun = applyEdit({}, edit, Number.POSITIVE_INFINITY);
    if (begun === undefined) return;
    await this.#context.begin(newAnonymousName(), begun.data, {
      cookie: this.#settings.cookieNames.visitor,
      // No list shows the session of a visitor.
      client: undefined,
    });
  }

  /**
   * Returns the data that a login keeps. First the session moves to an id that no browser knows. So a change that is
   * under way in another tab is either kept, or fails and is not acknowledged.
   */
  async #takeOver(user: string): Promise<SessionData> {
    const { session } = this.#context;
    if (session === undefined) return {};
    const former = userNameOf(session.record.user);
    if (former !== undefined && former !== user) return {};
    try {
      await this.#context.rotate();
    } catch (error) {
      if (!(error instanceof SessionGone)) throw error;
    }
    return this.#context.session?.record.data ?? {};
  }

  /** Runs the steps one after the other, even when the handler does not wait for them. */
  #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isOver) {
      const late = new HeadSent();
      this.#settings.onLate(late);
      return Step.of(Promise.reject(late));
    }
    const last = this.#steps.at(-1)?.whenOver() ?? noStep;
    const step = Step.of(last.then(work));
    this.#steps.push(step);
    return step;
  }
}

/** Returns what the edit returns, so that a promise is refused. */
function toEdit<Result>(edit: AppEdit<Result>): Edit {
  if (typeof edit !== 'function') throw new TypeError(`expected a function that edits a draft: ${editExample}`);
  return data => edit(data) as undefined;
}

/** Refuses an assignment such as `session.cart = []`: other libraries would keep it, and here it would be lost. */
const refuseFields = new Proxy(Object.prototype, {
  set: (_target, name) => {
    throw new TypeError(`session.${String(name)} cannot be set. Change the data: await ${editExample}`);
  },
});
Object.setPrototypeOf(BrowserSession.prototype, refuseFields);

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

/** Stands in front of the name under which a store keeps an anonymous session. No user has such a name. */
const prefix = 'anonymous:';
const nameCharsMax = 256;

/** Returns a name for one anonymous session. It is random, so it links the session to no user and to no other session. */
function newAnonymousName(): string {
  return `${prefix}${randomBytes(16).toString('base64url')}`;
}

/** Returns the name of the user of a session. Undefined for an anonymous session. */
function userNameOf(name: string | undefined): string | undefined {
  return name?.startsWith(prefix) ? undefined : name;
}

/** Throws a `TypeError` for a name that cannot be a user's. */
function assertUserName(user: unknown): asserts user is string {
  if (typeof user !== 'string' || user === '' || user.length > nameCharsMax)
    throw new TypeError(`login: expected the name of a user, a text of 1 to ${nameCharsMax} characters`);
  const reserved = [prefix, successorPrefix].find(each => user.startsWith(each));
  if (reserved !== undefined) throw new TypeError(`login: no user may have a name that begins with "${reserved}"`);
}

/**
 * A promise that records its state, and in `isSeen` whether any code waits for it. If it rejects and no code waits, the
 * process does not end: `BrowserSession.finish` reports the failure.
 */
class Step<T> extends Promise<T> {
  state: 'running' | 'done' | 'failed' = 'running';
  isSeen = false;

  /** Makes `then` return a plain promise instead of a `Step`. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of<T>(work: Promise<T>): Step<T> {
    const step = new Step<T>((resolve, reject) => {
      work.then(resolve, reject);
    });
    void step.whenOver();
    return step;
  }

  /** `await` calls it too, because this class is not `Promise` itself. */
  // biome-ignore lint/suspicious/noThenProperty: a subclass of Promise
  override then<Value = T, Failure = never>(
    onFulfilled?: ((value: T) => Value | PromiseLike<Value>) | null,
    onRejected?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Value | Failure> {
    this.isSeen = true;
    return super.then(onFulfilled, onRejected);
  }

  /** Resolves when the step is done or has failed, and records which. */
  whenOver(): Promise<void> {
    return super.then(
      () => {
        this.state = 'done';
      },
      () => {
        this.state = 'failed';
      },
    );
  }
}
