import type { Epochs } from './session.js';

/** The parts of a token that decide whether it is revoked. */
export interface RevocableToken {
  readonly handle: string;
  /** The tag of its user, as in the session id. */
  readonly userTag: string;
  readonly epochs: Epochs;
}

/** Names the epoch of everyone. No tag of a user is that short. */
export const everyone = 'everyone';

/**
 * The tokens that were revoked before they expire: single ones, and all of a user or of everyone that have an older
 * epoch. Every backend must know them: they are in a shared list, and each process keeps a copy. A check costs no round
 * trip. The price: a revocation reaches the other processes a moment later. While the shared list is unreachable, the
 * last copy stays in force.
 */
export interface RevocationFeed {
  /**
   * Checks the local copy. True if the session was revoked, or if an epoch of its token is older than the newest known
   * one. Throws `StoreUnavailable` until the shared list was read once: an empty copy would accept revoked tokens.
   */
  isRevoked(token: RevocableToken): boolean;
  /** Returns the newest known epochs, 0 where none is known. Throws as `isRevoked` does. */
  findEpochs(userTag: string): Epochs;
  /** Reports whether single sessions can be revoked. If not, tell an epoch of their user. */
  hasRoomFor(handles: number): boolean;
  /** Reports whether an epoch of this user can be told. If not, tell an epoch of everyone. */
  hasRoomForUser(userTag: string): boolean;
  /** Adds handles. Resolves when the shared list has them; this process knows them at once. Rejects with
   * `StoreUnavailable` when that is uncertain. An entry is forgotten after `untilMs`, when the tokens have expired. */
  revoke(handles: readonly string[], untilMs: number): Promise<void>;
  /** Revokes every token with an older epoch: of the user with this tag, or of `everyone`. Rejects as `revoke` does. */
  tellEpoch(owner: string, epoch: number, untilMs: number): Promise<void>;
  /** Resolves when this process knows all that the shared list has now. Rejects with `StoreUnavailable`. */
  catchUp(): Promise<void>;
  /** Returns the age of the local copy: milliseconds since the shared list was last read. Infinity: never read. */
  ageMs(): number;
  /** Resolves with true as soon as the shared list was read once, with false after `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Frees connections and timers. A second call is a no-op. Later calls of the other methods throw or reject with
   * `StoreUnavailable`. */
  close(): Promise<void>;
}

/** Width of an expiry slot. A revocation is kept until its token expires; all revocations of one slot are forgotten
 * together. */
const slotMs = 60_000;

interface KnownEpoch {
  readonly epoch: number;
  readonly untilMs: number;
}

/** The copy of the revoked tokens that one process keeps. Its memory is bounded by the two limits. */
export class RevokedTokens {
  readonly #handlesMax: number;
  readonly #usersMax: number;
  readonly #untilMs = new Map<string, number>();
  readonly #slots = new Map<number, string[]>();
  /** The newest epochs, by the tag of the user or `everyone`, in the order in which they were raised. */
  readonly #epochs = new Map<string, KnownEpoch>();

  /** Limits the handles and the users. When one limit is reached, callers must tell an epoch of more sessions.
   * Forgetting an older revocation would silently accept its token again. */
  constructor(handlesMax = 500_000, usersMax = 500_000) {
    this.#handlesMax = handlesMax;
    this.#usersMax = usersMax;
  }

  has({ handle, userTag, epochs }: RevocableToken, nowMs: number): boolean {
    if (nowMs < (this.#untilMs.get(handle) ?? Number.NEGATIVE_INFINITY)) return true;
    const newest = this.findEpochs(userTag, nowMs);
    return epochs.user < newest.user || epochs.everyone < newest.everyone;
  }

  findEpochs(userTag: string, nowMs: number): Epochs {
    return { user: this.#findEpoch(userTag, nowMs), everyone: this.#findEpoch(everyone, nowMs) };
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

  /** Adds an epoch. Of two epochs of one user, the newer one counts, and the later end. */
  addEpoch(owner: string, epoch: number, untilMs: number): void {
    const known = this.#epochs.get(owner);
    this.#epochs.delete(owner);
    this.#epochs.set(owner, {
      epoch: Math.max(epoch, known?.epoch ?? 0),
      untilMs: Math.max(untilMs, known?.untilMs ?? 0),
    });
  }

  /** Forgets expired entries, up to a minute late. Takes time in proportion to the entries that it forgets. */
  sweep(nowMs: number): void {
    for (const [number, handles] of this.#slots) {
      if (number * slotMs > nowMs) continue;
      this.#slots.delete(number);
      for (const handle of handles) if ((this.#untilMs.get(handle) ?? 0) <= nowMs) this.#untilMs.delete(handle);
    }
    for (const [owner, { untilMs }] of this.#epochs) {
      if (untilMs > nowMs) break;
      this.#epochs.delete(owner);
    }
  }

  hasRoomFor(handles: number): boolean {
    return this.#untilMs.size + handles <= this.#handlesMax;
  }

  hasRoomForUser(userTag: string): boolean {
    return this.#epochs.size < this.#usersMax || this.#epochs.has(userTag);
  }

  get size(): number {
    return this.#untilMs.size + this.#epochs.size;
  }

  /** Returns each handle with the end of its revocation. */
  handles(): Iterable<[handle: string, untilMs: number]> {
    return this.#untilMs.entries();
  }

  epochs(): Iterable<[owner: string, known: KnownEpoch]> {
    return this.#epochs.entries();
  }

  #findEpoch(owner: string, nowMs: number): number {
    const known = this.#epochs.get(owner);
    return known !== undefined && nowMs < known.untilMs ? known.epoch : 0;
  }
}
