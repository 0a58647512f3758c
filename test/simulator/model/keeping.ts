import type { NoSessionReason } from '#src/simulator/checker/findings.js';
import type { SessionRecord } from './store.js';

/** What a backend process has that matters for sessions. */
export interface Process {
  readonly name: string;
  /** Lost with the process. */
  readonly memory: Map<string, SessionRecord>;
  /** Sessions of which this process knows that they ended. */
  readonly revoked: Set<string>;
  /** Ids of the keys, the newest first: that one makes, all of them read. */
  readonly keys: readonly string[];
  /** How far its clock is before the others. */
  readonly clockMs: number;
}

/** What a cookie turned out to be. `cookie`: the browser gets this one in its place, '' to clear it. */
export type Opened =
  | { readonly kind: 'session'; readonly record: SessionRecord; readonly cookie?: string }
  | { readonly kind: 'none'; readonly why: NoSessionReason; readonly cookie?: string }
  | Failed;

/** The store did not answer: 503 after so long. */
export interface Failed {
  readonly kind: 'failed';
  readonly afterMs: number;
}

/** The cart is larger than the cookie may be. */
export interface TooLarge {
  readonly kind: 'too-large';
}

/** How a mode keeps its sessions. Every method is carried out at the moment of its call. */
export interface Keeping {
  open(by: Process, cookie: string | undefined): Opened;
  /** A login: the session of the old cookie ends. */
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
  /** A cookie's size, which some links look at. */
  cookieBytes(cookie: string): number;
}
