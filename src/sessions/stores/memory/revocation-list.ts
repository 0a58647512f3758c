import { StoreUnavailable } from '../../errors.js';
import type { RevocationFeed } from '../../revocation-feed.js';
import { RevokedTokens } from '../../revoked-tokens.js';

const sweepIntervalMs = 30_000;

/** Revocations in the memory of this process: no other one learns of them, and they die with it. */
export class RevocationList implements RevocationFeed {
  readonly #tokens = new RevokedTokens();
  readonly #now: () => number;
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor(now: () => number) {
    this.#now = now;
    this.#sweeper = setInterval(() => this.#tokens.sweep(now()), sweepIntervalMs).unref();
  }

  isRevoked(handle: string, issuedAtMs: number): boolean {
    this.#checkOpen();
    return this.#tokens.has(handle, issuedAtMs, this.#now());
  }

  async revoke(handles: readonly string[], untilMs: number): Promise<void> {
    this.#checkOpen();
    if (!this.#tokens.hasRoomFor(handles.length)) this.#tokens.sweep(this.#now());
    if (!this.#tokens.hasRoomFor(handles.length)) throw new StoreUnavailable('the list of revoked sessions is full');
    this.#tokens.add(handles, untilMs);
  }

  async revokeEveryone(untilMs: number): Promise<void> {
    this.#checkOpen();
    this.#tokens.addEveryone(this.#now(), untilMs);
  }

  async ready(): Promise<boolean> {
    return !this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable('the list of revoked sessions is closed');
  }
}
