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

/** A revocation is kept for the rest of a token's life only, and all of that minute are forgotten together. */
const slotMs = 60_000;

/** The copy that one process keeps of what was revoked. */
export class RevokedTokens {
  readonly #handlesMax: number;
  readonly #untilMs = new Map<string, number>();
  readonly #slots = new Map<number, string[]>();
  #everyone = { issuedUntilMs: Number.NEGATIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY };

  /** Beyond `handlesMax` no further one is promised: forgetting an older one would honour its token again in silence. */
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

  /** Everyone's token that was issued until then. The later of two takes the place of both. */
  addEveryone(issuedUntilMs: number, untilMs: number): void {
    const known = this.#everyone;
    this.#everyone = {
      issuedUntilMs: Math.max(issuedUntilMs, known.issuedUntilMs),
      untilMs: Math.max(untilMs, known.untilMs),
    };
  }

  /** Forgets what is past its deadline, up to a minute late; takes no longer than there is to forget. */
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

  /** Each handle with the end of its revocation. */
  entries(): Iterable<[handle: string, untilMs: number]> {
    return this.#untilMs.entries();
  }

  get everyone(): { readonly issuedUntilMs: number; readonly untilMs: number } {
    return this.#everyone;
  }
}
