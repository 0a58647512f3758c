import type { Failed, Keeping, Opened, Process, TooLarge } from './keeping.js';

/** Hides sessions that a backend of another schema wrote. A login still ends them, and so does a logout. */
export class KeepingBySchema implements Keeping {
  readonly #kept: Keeping;
  /** The schema of each session, by its cookie. */
  readonly #schemas = new Map<string, string>();

  constructor(kept: Keeping) {
    this.#kept = kept;
  }

  open(by: Process, cookie: string | undefined): Opened {
    return this.#note(by, this.#isHidden(by, cookie) ?? this.#kept.open(by, cookie));
  }

  begin(...[by, user, oldCookie]: Parameters<Keeping['begin']>): ReturnType<Keeping['begin']> {
    const begun = this.#kept.begin(by, user, oldCookie);
    if (begun.kind === 'begun') this.#schemas.set(begun.cookie, by.schema);
    return begun;
  }

  change(...[by, cookie, change]: Parameters<Keeping['change']>): Opened | TooLarge {
    return this.#note(by, this.#isHidden(by, cookie) ?? this.#kept.change(by, cookie, change));
  }

  end(by: Process, cookie: string | undefined): { readonly kind: 'ended' } | Failed {
    return this.#kept.end(by, cookie);
  }

  cookieBytes(cookie: string): number {
    return this.#kept.cookieBytes(cookie);
  }

  #isHidden({ schema }: Process, cookie = ''): Opened | undefined {
    const written = this.#schemas.get(cookie);
    return written === undefined || written === schema ? undefined : { kind: 'none', why: 'malformed' };
  }

  #note<Outcome extends Opened | TooLarge>({ schema }: Process, outcome: Outcome): Outcome {
    if (outcome.kind === 'session' && outcome.cookie !== undefined) this.#schemas.set(outcome.cookie, schema);
    return outcome;
  }
}
