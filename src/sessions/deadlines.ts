import type { SessionLimits, SessionRecord } from './session.js';

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
