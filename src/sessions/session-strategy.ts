import type { NoSession, Session, SessionData, SessionLimits } from './session.js';
import type { SessionStore } from './session-store.js';

/** A session together with the token that now names it: the cookie to set. */
export interface Issued {
  readonly session: Session;
  readonly token: string;
}

/**
 * Turns a cookie token into a session and back. Implementations: `strategies/registry.ts`.
 * Rejects with `StoreUnavailable` when what it depends on cannot be asked; never answers "no session" instead.
 */
export interface SessionStrategy {
  /** An unknown token is never adopted. Touches the idle deadline at most once per max(30 s, idle/10). */
  open(token: string | undefined): Promise<Session | NoSession>;
  /** Always a fresh token (OWASP: a new session id at login). */
  begin(user: string, data: SessionData): Promise<Issued>;
  /** Applies `edit` to a copy and commits; on a conflict reads again and applies it again (at most 5 tries, then
   * `SessionConflict`). An edit that changes nothing writes nothing. Data over the limit: `SessionTooLarge`. */
  change(session: Session, edit: (data: SessionData) => void): Promise<Issued | 'gone'>;
  /** A new token for the same session; the old one is dead at once. */
  rotate(session: Session): Promise<Issued | 'gone'>;
  end(session: Session): Promise<void>;
  close(): Promise<void>;
}

export interface StrategySettings {
  /** Closed by the strategy that uses it. */
  readonly store: SessionStore;
  readonly limits: SessionLimits;
  readonly now: () => number;
}

export interface StrategyEntry {
  open(settings: StrategySettings): SessionStrategy;
}
