/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What the app keeps in a session. Plain JSON; an edit may change it freely. */
export type SessionData = { [key: string]: Json };

/** What a store keeps for one session. All times are milliseconds since the epoch (wall clock). */
export interface SessionRecord {
  readonly user: string;
  readonly data: SessionData;
  /** 1 when created, one more with every change of the data. */
  readonly version: number;
  readonly createdAtMs: number;
  /** Moved by `touch`, never past `absoluteUntilMs`. */
  readonly idleUntilMs: number;
  /** Fixed at creation: rotation and touching never move it. */
  readonly absoluteUntilMs: number;
}

/** An open session: a record, and the token by which the browser names it. */
export interface Session {
  readonly token: string;
  readonly record: SessionRecord;
}

/** One line of "my sessions": never the id itself. */
export interface SessionSummary {
  /** First 16 hex digits of the SHA-256 of the id: enough to tell two apart, useless to open one. */
  readonly handle: string;
  readonly createdAtMs: number;
  readonly idleUntilMs: number;
}

/**
 * Why a request has no session. All the same to the handler; each counted and shown under its own name.
 * With a store a session past its deadline is `unknown`: at that very moment the store forgets it, and with it that it
 * ever was. The last three are said only where the token itself carries the session: past a deadline, not made by any
 * key of the ring, ended before its time.
 */
export type NoSession = 'absent' | 'malformed' | 'unknown' | 'expired' | 'forged' | 'revoked';

/** Idle and absolute limits, and the store call deadline; every duration in milliseconds. */
export interface SessionLimits {
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** The most bytes that the JSON of one session's data may have. */
  readonly dataBytesMax: number;
  readonly storeDeadlineMs: number;
}

export const defaultLimits: SessionLimits = {
  idleMs: 30 * 60_000,
  absoluteMs: 12 * 3_600_000,
  dataBytesMax: 64 * 1024,
  storeDeadlineMs: 400,
};
