import type { KeyRing } from '../shared/key-ring.js';
import type { SessionClient } from './client.js';
import type { RevocationFeed } from './revocation-feed.js';
import type { Edit, NoSession, Room, Session, SessionData, SessionLimits, SessionSummary } from './session.js';
import type { RoundTrips, SessionStore, StoreCapabilities } from './session-store.js';

/** A session and the token that now names it. The token is the cookie to set. */
export interface Issued {
  readonly session: Session;
  readonly token: string;
}

export interface BeginOptions {
  /** The name of the cookie that will hold the token. Default: the name over plain HTTP. */
  readonly cookie?: string | undefined;
  /** True: the limits `remember` apply. */
  readonly remember?: boolean;
  /** The list of sessions shows it. */
  readonly client?: SessionClient | undefined;
}

export interface EndedOthers {
  /** Number of ended sessions, as for `endAll`. */
  readonly ended: number;
  readonly issued: Issued;
}

/**
 * Turns a cookie token into a session and back. Implementations: `strategies` in `registry.ts`.
 *
 * A method rejects with `StoreUnavailable` if a store that it needs is unreachable. It never answers "no session"
 * instead.
 */
export interface SessionStrategy {
  /**
   * Opens the session of a token. An unknown token is never adopted. Touches the idle deadline at most once per 30 s,
   * or per tenth of a longer idle limit. If the token of the session differs from `token` (sealed again, refreshed),
   * set it as the cookie. A token is good under the cookie name only under which it was issued (default: without TLS).
   */
  open(token: string | undefined, cookie?: string): Promise<Session | NoSession>;
  /** Begins a session, always under a fresh token (OWASP: a new session id at login). Data over the limit: rejects with
   * `SessionTooLarge`. */
  begin(user: string, data: SessionData, options?: BeginOptions): Promise<Issued>;
  /**
   * Applies `edit` to a copy of the data and commits it. On a conflict it reads the session again and retries: at most
   * 5 tries, then `SessionConflict`. An edit without a change writes nothing. Data over the limit: rejects with
   * `SessionTooLarge`; only edits that security needs may use the reserve. If the session is not found or has ended,
   * resolves with `gone`.
   */
  change(session: Session, edit: Edit, room?: Room): Promise<Issued | 'gone'>;
  /** Moves the session to a new token. The old token is invalid at once. If the session is not found or has ended,
   * resolves with `gone`. */
  rotate(session: Session, client?: SessionClient): Promise<Issued | 'gone'>;
  /** Ends the session. If it has ended already, `end` is a no-op. */
  end(session: Session): Promise<void>;
  /**
   * Ends the session of a token that `open` did not find. An earlier `end` may have been carried out and rejected,
   * because too few replicas acknowledged it. This waits for them again. An unknown token is a no-op.
   */
  endToken?(token: string, cookie?: string): Promise<void>;
  /** Returns the `SessionSummary.handle` of this session. */
  handleOf(session: Session): string;
  /** Returns the live sessions of a user, at most 1,000. */
  list(user: string): Promise<readonly SessionSummary[]>;
  /** Ends the session of `user` with this handle. Resolves with false if it is not found, also if it belongs to another
   * user. */
  endOne(user: string, handle: string): Promise<boolean>;
  /**
   * Ends every session of `user` by a new epoch, also those that no list has. Resolves with the number of sessions that
   * were listed, at most 1,000.
   */
  endAll(user: string): Promise<number>;
  /**
   * Ends every other session of the user of this session, as `endAll` does. This session goes on, perhaps under a new
   * token. If it has ended already, ends nothing and resolves with `gone`.
   */
  endOthers(session: Session): Promise<EndedOthers | 'gone'>;
  /** Ends every session of every user. */
  endEveryone(): Promise<void>;
  /**
   * Returns the token to set when the response is sent. Undefined: set none, because the session has ended. A strategy
   * without this method makes tokens that stay good.
   */
  confirmToken?(session: Session): string | undefined;
  /** Counts of events since the start, by name. The caller adds its own. */
  readonly counts?: Record<string, number>;
  /** Returns the age of the list of revoked sessions that this process uses. Undefined: it uses none. */
  feedAgeMs?(): number | undefined;
  /** Closes the store and the feed. */
  close(): Promise<void>;
}

/** The names that the tokens of an app carry. An app refuses the tokens of another. */
export interface TokenNames {
  /** The `iss` of a JWT. Default: `holdfast`. */
  readonly issuer?: string;
  /** The first part of the `aud` of a JWT; the second is the name of the cookie. Default: `holdfast`. */
  readonly audience?: string;
}

export interface StrategySettings {
  readonly tokenNames?: TokenNames | undefined;
  /** The store. The strategy closes it. */
  readonly store: SessionStore;
  /** The list of revoked tokens. The strategy closes it. Undefined: no token is revoked, each lives until its deadline.
   * A strategy whose token is only a reference needs no feed. */
  readonly feed: RevocationFeed | undefined;
  /** Maximum age of the list of revoked tokens. While it is older, `open` rejects with `StoreUnavailable`. Default: no
   * limit, the strategy uses the list that it knows. */
  readonly feedAgeMaxMs?: number | undefined;
  /** Returns the keys. Called for each use, because the ring can be replaced while the process runs. */
  readonly keys: () => KeyRing;
  readonly limits: SessionLimits;
  readonly now: () => number;
}

/** The guarantees of a strategy over a given store. The comparison prints them; the contract suite tests them. */
export interface StrategyCapabilities {
  /** False: of concurrent edits, the last response wins and the others are lost, although they were acknowledged. */
  readonly compareAndSet: boolean;
  /** Where an acknowledged write is kept: as for a store, or in the browser. */
  readonly durability: StoreCapabilities['durability'] | 'browser';
  /** Time for which a session stays usable after its store came back empty. 0: it ends at once. Infinity: it does not
   * need the store. */
  readonly withoutStoreMs: number;
  /** Revocation delay: time for which another backend may still accept a session that was ended on one backend. */
  readonly revocationLagMs: number;
  /** Revocation delay of a backend that cannot reach the store. Infinity: no bound. */
  readonly revocationLagCutOffMs: number;
  /** Number of bytes of JSON that are certain to fit. */
  readonly dataBytesMax: number;
  readonly dataIn: 'store' | 'browser';
  /** Round trips of a request that needs only the session: one that reads it, and one that changes it. */
  readonly roundTrips: RoundTrips;
  /** Time by which a clock may jump back, or lag behind another backend, before sessions are refused. */
  readonly clockBackMs: number;
}

export interface StrategyEntry {
  /** True if tokens carry the session themselves. Then ending a session early needs a list of revoked tokens. */
  readonly needsFeed: boolean;
  capabilities(store: StoreCapabilities, feedAgeMaxMs?: number): StrategyCapabilities;
  open(settings: StrategySettings): SessionStrategy;
}
