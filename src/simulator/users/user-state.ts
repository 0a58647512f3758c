import type { Operation, OperationOutcome } from '../history/records.js';
import type { PlannedStep } from '../plan/planned-user.js';

/**
 * Anonymous answers in a row after which a user logs in again. A history can therefore show two kinds of silent logout:
 *
 * - flicker: the session was refused once, and then accepted again without a login.
 * - hard: the session was refused twice in a row, or was still refused when the user logged in again.
 *
 * The login after the second refusal hides whether the session would have been accepted later. The read-back follows
 * the same rule: after an anonymous answer it tries once more before it logs in again.
 */
export const anonymousMax = 2;

/** Keeps what a user knows from its answers so far: whether it is logged in, and which steps it should skip. Does no
 * I/O. */
export class UserState {
  #session = 0;
  /** Whether the user believes that it is logged in. */
  #loggedIn = false;
  #mustLogIn = false;
  #anonymousInRow = 0;
  /** Whether its last read showed no cart, because of an error, an anonymous answer, or no time. */
  #missedCart = false;
  /** Whether the outcome of its logout is unknown. */
  #inDoubt = false;
  /** Whether it skipped a planned logout, and must therefore skip the next login. */
  #staysIn = false;

  /** Number of acknowledged logins. */
  get session(): number {
    return this.#session;
  }

  get loggedIn(): boolean {
    return this.#loggedIn;
  }

  get mustLogIn(): boolean {
    return this.#mustLogIn;
  }

  /** Whether its session may have ended. Operations in such a session prove nothing. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /**
   * Whether the user skips the step. It skips a logout if its last read showed no cart, because after the logout no
   * read could verify its writes. It then also skips the slow add that the plan starts right before the logout.
   */
  shouldSkip({ kind, slowMs }: PlannedStep): boolean {
    if (kind === 'logout') this.#staysIn = this.#missedCart;
    const isSkipped =
      slowMs === undefined ? this.#staysIn && (kind === 'logout' || kind === 'login') : this.#missedCart;
    if (kind === 'login') this.#staysIn = false;
    return isSkipped;
  }

  /** Notes that a step was dropped because it was too late. */
  noteDropped({ kind }: PlannedStep): void {
    if (kind === 'login') this.#mustLogIn = true;
    if (kind === 'read') this.#missedCart = true;
  }

  learn({ kind, outcome, identity }: Operation): void {
    if (kind === 'read') this.#missedCart = outcome !== 'ok';
    if (kind === 'login') this.#learnLogin(outcome === 'ok');
    else if (kind === 'logout' && outcome !== 'fail') this.#learnLogout(outcome);
    else if (typeof identity === 'string') this.#anonymousInRow = 0;
    else if (identity === null && this.#loggedIn) this.#anonymousInRow += 1;
    if (this.#anonymousInRow >= anonymousMax) this.#mustLogIn = true;
  }

  #learnLogin(ok: boolean): void {
    this.#mustLogIn = !ok;
    if (!ok) return;
    this.#inDoubt = false;
    this.#session += 1;
    this.#loggedIn = true;
    this.#anonymousInRow = 0;
  }

  #learnLogout(outcome: OperationOutcome): void {
    if (outcome === 'ok') this.#loggedIn = false;
    this.#inDoubt = outcome === 'unknown';
  }
}
