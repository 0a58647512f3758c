import type { KeyRing } from '../shared/key-ring.js';
import type { RevocationFeed } from './revocation-feed.js';
import type { NoSession, Session, SessionData, SessionLimits, SessionSummary } from './session.js';
import type { RoundTrips, SessionStore, StoreCapabilities } from './session-store.js';

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
  /** An unknown token is never adopted. Touches the idle deadline at most once per max(30 s, idle/10). The token of the
   * session may differ from the one given (sealed anew, refreshed): then that one is to be set. */
  open(token: string | undefined): Promise<Session | NoSession>;
  /** Always a fresh token (OWASP: a new session id at login). */
  begin(user: string, data: SessionData): Promise<Issued>;
  /** Applies `edit` to a copy and commits; on a conflict reads again and applies it again (at most 5 tries, then
   * `SessionConflict`). An edit that changes nothing writes nothing. Data over the limit: `SessionTooLarge`. */
  change(session: Session, edit: (data: SessionData) => void): Promise<Issued | 'gone'>;
  /** A new token for the same session; the old one is dead at once. */
  rotate(session: Session): Promise<Issued | 'gone'>;
  end(session: Session): Promise<void>;
  /** How the lists of sessions name this one: its `SessionSummary.handle`. */
  handleOf(session: Session): string;
  /** The living sessions of a user, at most 1,000. */
  list(user: string): Promise<readonly SessionSummary[]>;
  /** Ends the session of `user` with this handle; false when there is none. Somebody else's session is none. */
  endOne(user: string, handle: string): Promise<boolean>;
  /** Ends every session of `user` but the one with the handle `except`; resolves with how many there were. */
  endAll(user: string, except?: string): Promise<number>;
  /** Ends every session of everyone. */
  endEveryone(): Promise<void>;
  close(): Promise<void>;
}

export interface StrategySettings {
  /** Closed by the strategy that uses it. */
  readonly store: SessionStore;
  /** Where tokens are ended before their time; closed by the strategy as well. Undefined: nowhere, they live on until
   * their deadline. A strategy whose token is only a reference needs none. */
  readonly feed: RevocationFeed | undefined;
  /** Asked anew each time, since a ring can be exchanged while the process runs. */
  readonly keys: () => KeyRing;
  readonly limits: SessionLimits;
  readonly now: () => number;
}

/** What a strategy can promise over a given store; printed by the comparison, used by the contract suite. */
export interface StrategyCapabilities {
  /** False: of edits that meet, the one answered last is kept and the others are lost, although acknowledged. */
  readonly compareAndSet: boolean;
  /** Which death costs an acknowledged write. */
  readonly durability: StoreCapabilities['durability'] | 'browser';
  /** For so long a session goes on when its store has come back empty; none, or no end to it, are numbers too. */
  readonly withoutStoreMs: number;
  /** For so long a session that was ended on one backend may still be honoured on another. */
  readonly revocationLagMs: number;
  /** So many bytes of JSON are certain to fit. */
  readonly dataBytesMax: number;
  readonly dataIn: 'store' | 'browser';
  /** Of a request that needs nothing but the session: one that reads it, one that changes it. */
  readonly roundTrips: RoundTrips;
  /** So far a clock may go back (or be behind the one of another backend) before sessions are refused. */
  readonly clockBackMs: number;
}

export interface StrategyEntry {
  /** Its tokens carry the session themselves, so that ending one early takes a list of revoked ones. */
  readonly needsFeed: boolean;
  capabilities(store: StoreCapabilities): StrategyCapabilities;
  open(settings: StrategySettings): SessionStrategy;
}
