/**
 * What every backend must know of tokens that were ended before their time: a shared list, of which each process keeps
 * a copy. Asking costs no round trip; the price is that a revocation reaches the other processes a moment later, and
 * that the last known copy stays in force while the shared list cannot be reached.
 */
export interface RevocationFeed {
  /**
   * Looks into the own copy: was this session revoked, or everyone's issued until then?
   * Throws `StoreUnavailable` until the shared list was read once: an empty copy would honour what has been revoked.
   */
  isRevoked(handle: string, issuedAtMs: number): boolean;
  /** Resolves when the shared list has them; this process knows at once. Rejects with `StoreUnavailable` when that
   * cannot be promised. Forgotten after `untilMs`, when the tokens themselves have ended. */
  revoke(handles: readonly string[], untilMs: number): Promise<void>;
  /** Revokes every token issued until now. */
  revokeEveryone(untilMs: number): Promise<void>;
  /** True as soon as the shared list was read once, false when not within `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** A second call is no error. */
  close(): Promise<void>;
}
