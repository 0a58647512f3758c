import type { NoSessionReason } from '#src/simulator/checker/findings.js';
import type { SessionRecord } from './store.js';

/** The parts of a backend process that sessions depend on. */
export interface Process {
  readonly name: string;
  /** Lost when the process dies. */
  readonly memory: Map<string, SessionRecord>;
  /** Ended sessions that this process knows of. */
  readonly revoked: Set<string>;
  /** The form in which it writes sessions. It can read no other. */
  readonly schema: string;
  /** Ids of the keys, the newest first. The newest signs; all of them verify. */
  readonly keys: readonly string[];
  /** How far its clock is ahead of the others. */
  readonly clockMs: number;
}

/** The result of opening a cookie. `cookie` replaces it in the browser; '' clears it. */
export type Opened =
  | { readonly kind: 'session'; readonly record: SessionRecord; readonly cookie?: string }
  | { readonly kind: 'none'; readonly why: NoSessionReason; readonly cookie?: string }
  | Failed;

/** The store did not answer. The backend answers 503 after `afterMs`. */
export interface Failed {
  readonly kind: 'failed';
  readonly afterMs: number;
}

/** A change was refused, because the cart does not fit into a cookie. */
export interface TooLarge {
  readonly kind: 'too-large';
}

/** How a mode keeps its sessions. Every method takes effect at once. */
export interface Keeping {
  open(by: Process, cookie: string | undefined): Opened;
  /** Begins a session at a login. It ends the session of the old cookie. */
  begin(
    by: Process,
    user: string,
    oldCookie: string | undefined,
  ): { readonly kind: 'begun'; readonly cookie: string } | Failed;
  change(
    by: Process,
    cookie: string | undefined,
    change: (cart: readonly string[]) => readonly string[],
  ): Opened | TooLarge;
  end(by: Process, cookie: string | undefined): { readonly kind: 'ended' } | Failed;
  /** Returns the size of a cookie, which some link faults depend on. */
  cookieBytes(cookie: string): number;
}
