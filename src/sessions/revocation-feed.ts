/**
 * The tokens that were revoked before they expire. Every backend must know them: they are in a shared list, and each
 * process keeps a copy. A check costs no round trip. The price: a revocation reaches the other processes a moment
 * later. While the shared list is unreachable, the last copy stays in force.
 */
export interface RevocationFeed {
  /**
   * Checks the local copy. True if this session was revoked, or if its token was issued before the last
   * `revokeEveryone`. Throws `StoreUnavailable` until the shared list was read once: an empty copy would accept revoked
   * tokens.
   */
  isRevoked(handle: string, issuedAtMs: number): boolean;
  /** Adds handles. Resolves when the shared list has them; this process knows them at once. Rejects with
   * `StoreUnavailable` when that is uncertain. An entry is forgotten after `untilMs`, when the tokens have expired. */
  revoke(handles: readonly string[], untilMs: number): Promise<void>;
  /** Revokes every token that was issued until now. Rejects as `revoke` does. */
  revokeEveryone(untilMs: number): Promise<void>;
  /** Resolves with true as soon as the shared list was read once, with false after `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Frees connections and timers. A second call is a no-op. Later calls of the other methods throw or reject with
   * `StoreUnavailable`. */
  close(): Promise<void>;
}

/** Width of an expiry slot. A revocation is kept until its token expires; all revocations of one slot are forgotten
 * together. */
const slotMs = 60_000;

/** The copy of the revoked tokens that one process keeps. */
export class RevokedTokens {
  readonly #handlesMax: number;
  readonly #untilMs = new Map<string, number>();
  readonly #slots = new Map<number, string[]>();
  #everyone = { issuedUntilMs: Number.NEGATIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY };

  /** Limits the handles. When it is full, further revocations are refused: forgetting an older one would silently
   * accept its token again. */
  constructor(handlesMax = 1_000_000) {
    this.#handlesMax = handlesMax;
  }

  has(handle: string, issuedAtMs: number, nowMs: number): boolean {
    const { issuedUntilMs, untilMs } = this.#everyone;
    if (issuedAtMs <= issuedUntilMs && nowMs < untilMs) return true;
    return nowMs < (this.#untilMs.get(handle) ?? Number.NEGATIVE_INFINITY);
  }

  add(handles: Iterable<string>, untilMs: number): void {
    const number = Math.ceil(untilMs / slotMs);
    const slot = this.#slots.get(number) ?? [];
    this.#slots.set(number, slot);
    for (const handle of handles) {
      const known = this.#untilMs.get(handle);
      if (known !== undefined && known >= untilMs) continue;
      this.#untilMs.set(handle, untilMs);
      slot.push(handle);
    }
  }

  /** Revokes every token that was issued until `issuedUntilMs`. The later of two such revocations replaces both. */
  addEveryone(issuedUntilMs: number, untilMs: number): void {
    const known = this.#everyone;
    this.#everyone = {
      issuedUntilMs: Math.max(issuedUntilMs, known.issuedUntilMs),
      untilMs: Math.max(untilMs, known.untilMs),
    };
  }

  /** Forgets expired entries, up to a minute late. Takes time in proportion to the entries that it forgets. */
  sweep(nowMs: number): void {
    for (const [number, handles] of this.#slots) {
      if (number * slotMs > nowMs) continue;
      this.#slots.delete(number);
      for (const handle of handles) if ((this.#untilMs.get(handle) ?? 0) <= nowMs) this.#untilMs.delete(handle);
    }
  }

  hasRoomFor(count: number): boolean {
    return this.#untilMs.size + count <= this.#handlesMax;
  }

  get size(): number {
    return this.#untilMs.size;
  }

  /** Returns each handle with the end of its revocation. */
  entries(): Iterable<[handle: string, untilMs: number]> {
    return this.#untilMs.entries();
  }

  get everyone(): { readonly issuedUntilMs: number; readonly untilMs: number } {
    return this.#everyone;
  }
}
