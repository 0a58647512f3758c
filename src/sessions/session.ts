import { SessionTooLarge } from './errors.js';

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

type Deadlines = Pick<SessionRecord, 'createdAtMs' | 'idleUntilMs' | 'absoluteUntilMs'>;

const touchIntervalMinMs = 30_000;

/** Of a session that begins now. */
export function firstDeadlines({ idleMs, absoluteMs }: SessionLimits, nowMs: number): Deadlines {
  const absoluteUntilMs = nowMs + absoluteMs;
  return { createdAtMs: nowMs, idleUntilMs: Math.min(nowMs + idleMs, absoluteUntilMs), absoluteUntilMs };
}

/** The idle deadline of a session that is used now; undefined while it gains too little by it. */
export function touchedIdleUntilMs(session: Deadlines, { idleMs }: SessionLimits, nowMs: number): number | undefined {
  const idleUntilMs = Math.min(nowMs + idleMs, session.absoluteUntilMs);
  const gainMs = idleUntilMs - session.idleUntilMs;
  // The last touch gains less than an interval, and without it an active session would end that much too early.
  const isLast = idleUntilMs === session.absoluteUntilMs && gainMs > 0;
  return gainMs >= touchIntervalMs(idleMs) || isLast ? idleUntilMs : undefined;
}

/** Rarely enough to cost nothing, often enough that an active user never runs out, however short the idle limit is. */
function touchIntervalMs(idleMs: number): number {
  return Math.min(Math.max(touchIntervalMinMs, idleMs / 10), idleMs / 2);
}

interface PlainData {
  readonly json: string;
  readonly data: SessionData;
}

/** What would be read back of `data`: a copy, and only what JSON can say. Throws `SessionTooLarge` that names the part
 * which takes the most. */
export function plainData(data: SessionData, bytesMax: number): PlainData {
  const json = JSON.stringify(data);
  const bytes = Buffer.byteLength(json);
  if (bytes > bytesMax) throw new SessionTooLarge(bytes, bytesMax, largestOf(Object.entries(data)));
  return { json, data: JSON.parse(json) };
}

/** A copy of `data` with the edit applied; undefined when the edit changed nothing. */
export function editedData(
  data: SessionData,
  edit: (data: SessionData) => void,
  bytesMax: number,
): PlainData | undefined {
  const before = JSON.stringify(data);
  const draft: SessionData = JSON.parse(before);
  edit(draft);
  const after = plainData(draft, bytesMax);
  return after.json === before ? undefined : after;
}

/** Undefined when there is none. */
export function largestOf(parts: readonly (readonly [name: string, value: unknown])[]) {
  return parts
    .map(([name, value]) => ({ name, bytes: Buffer.byteLength(JSON.stringify(value) ?? '') }))
    .toSorted((one, other) => other.bytes - one.bytes)[0];
}
