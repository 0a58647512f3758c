import type { Operation, OperationOutcome } from '../history/records.js';
import type { PlannedStep } from '../plan/planned.js';

/**
 * A user logs in again after so many anonymous answers in a row. So a history shows two kinds of silent logout:
 *
 * - flicker: the session was refused once, and then accepted again without a login;
 * - hard: the session was refused twice in a row, or it was still refused when the user logged in again.
 *
 * The login after the second refusal hides whether the session would have been accepted later. The read-back keeps the
 * same rule: it tries an anonymous answer once more before it logs in again.
 */
export const anonymousMax = 2;

/** Keeps what a user knows from the answers so far: whether it is logged in, and what it had better leave out. Does no I/O. */
export class UserState {
  #session = 0;
  /** Whether it has reason to believe that it is logged in. */
  #loggedIn = false;
  #mustLogIn = false;
  #anonymousInRow = 0;
  /** When it last wanted to read the cart it saw none: an error, an answer as anonymous, or no time. */
  #missedCart = false;
  /** It asked to be logged out, and was told neither yes nor no. */
  #inDoubt = false;
  /** It has put off a planned logout, and with it the login that follows. */
  #staysIn = false;

  /** How many logins were acknowledged. */
  get session(): number {
    return this.#session;
  }

  get loggedIn(): boolean {
    return this.#loggedIn;
  }

  get mustLogIn(): boolean {
    return this.#mustLogIn;
  }

  /** Whether its session may have ended: what it did with one could prove nothing. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /**
   * Whether to leave the step out: a user that did not see its cart right before a logout stays, whether it met an error or
   * an anonymous answer. After the logout no read could verify what it wrote. A slow add that was begun for the sake of
   * the logout is left out with it.
   */
  putsOff({ kind, slowMs }: PlannedStep): boolean {
    if (kind === 'logout') this.#staysIn = this.#missedCart;
    const putOff = slowMs === undefined ? this.#staysIn && (kind === 'logout' || kind === 'login') : this.#missedCart;
    if (kind === 'login') this.#staysIn = false;
    return putOff;
  }

  /** There was no time for it. */
  missed({ kind }: PlannedStep): void {
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
