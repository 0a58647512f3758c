import { hash, randomBytes } from 'node:crypto';
import type { SessionClient } from './client.js';
import { cookieName } from './cookie.js';
import { SessionTooLarge } from './errors.js';

/** Any value that JSON can express. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The data that the app keeps in a session: plain JSON. An edit may change it freely. */
export type SessionData = { [key: string]: Json };

/**
 * Changes the data in place, at once. The type refuses an async function, because nothing that it does after its first
 * `await` would be written. A return type of `void` alone accepts every function.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: only the union of both refuses a promise.
export type Edit = (data: SessionData) => void | undefined;

/** The record that a store keeps for one session. All times are milliseconds since 1970 (wall clock). */
export interface SessionRecord {
  readonly user: string;
  readonly data: SessionData;
  /** 1 when created; each change of the data or of the epochs adds one. */
  readonly version: number;
  readonly createdAtMs: number;
  /** `touch` moves it, never past `absoluteUntilMs`. */
  readonly idleUntilMs: number;
  /** Fixed at creation. Neither rotation nor a touch moves it. */
  readonly absoluteUntilMs: number;
  /** Fixed at login. A rotation copies them. */
  readonly epochs: Epochs;
}

/** A record for a store. Without epochs, it is a login: the store adds the present ones. */
export type NewSessionRecord = Omit<SessionRecord, 'epochs'> & {
  readonly epochs?: Epochs | undefined;
  /** Only `listByUser` returns it. So a read does not carry it. */
  readonly client?: SessionClient | undefined;
};

/** An open session: a record, and the token that names it in the browser. */
export interface Session {
  readonly token: string;
  readonly record: SessionRecord;
}

/** One line of "my sessions". It never has the id. */
export interface SessionSummary {
  /** First 16 hex digits of the SHA-256 of the id. They distinguish two sessions, but open neither. */
  readonly handle: string;
  readonly createdAtMs: number;
  readonly idleUntilMs: number;
  /** The client that began the session, or that was given a new token last. Undefined: it is not known. */
  readonly client?: SessionClient | undefined;
}

/** Builds one line of "my sessions". A client that is not known is absent from it. */
export function buildSummary({ client, ...times }: SessionSummary): SessionSummary {
  return client === undefined ? times : { ...times, client };
}

/**
 * The epochs of a session: one number of its user, and one of everyone. A session keeps those of its login. It has
 * ended as soon as one of them differs from the present one. So one step ends all sessions of a user, even those that a
 * list of them has lost.
 *
 * Two epochs are compared only if both belong to the same user, or both to everyone.
 */
export interface Epochs {
  readonly user: number;
  readonly everyone: number;
}

/** Tolerated difference between the clocks of two backends. */
export const clockToleranceMs = 5_000;

/**
 * Returns an epoch that is greater than `old`. If the old one was lost, the result exceeds the clock by the tolerance.
 * So it exceeds every earlier one, because no clock of another backend is further ahead.
 */
export function nextEpoch(old: number | undefined, nowMs: number): number {
  const now = Math.floor(nowMs);
  return old === undefined ? now + clockToleranceMs : Math.max(old + 1, now);
}

/** The present epochs. A lost one is undefined. */
export interface PresentEpochs {
  readonly user: number | undefined;
  readonly everyone: number | undefined;
}

/** Returns whether a session with the epochs `own` has not ended. False if one of the present epochs is missing. */
export function isPresent(own: Epochs, present: PresentEpochs): boolean {
  return own.user === present.user && own.everyone === present.everyone;
}

/**
 * Reason why a request has no session. The handler treats all the same; each is counted and shown under its own name.
 *
 * In a store, a session past its deadline is `unknown`, because the store forgets it at that moment. The last three
 * occur only where the token carries the session: `expired` is past a deadline, `forged` was made with no key of the
 * ring, and `revoked` was ended early.
 */
export type NoSession = 'absent' | 'malformed' | 'unknown' | 'expired' | 'forged' | 'revoked';

/** Idle and absolute limits, and the store call deadline; every duration in milliseconds. */
export interface SessionLimits {
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** The limits of a session whose user chose to be remembered. */
  readonly remember: Readonly<Record<'idleMs' | 'absoluteMs', number>>;
  /** Maximum size of the data of one session, in bytes of JSON. */
  readonly dataBytesMax: number;
  readonly storeDeadlineMs: number;
}

export const defaultLimits: SessionLimits = {
  idleMs: 30 * 60_000,
  absoluteMs: 12 * 3_600_000,
  remember: { idleMs: 14 * 86_400_000, absoluteMs: 30 * 86_400_000 },
  dataBytesMax: 64 * 1024,
  storeDeadlineMs: 400,
};

type Deadlines = Pick<SessionRecord, 'createdAtMs' | 'idleUntilMs' | 'absoluteUntilMs'>;

const touchIntervalMinMs = 30_000;

/** Returns the deadlines of a session that begins now. */
export function computeDeadlines(limits: SessionLimits, nowMs: number, remember = false): Deadlines {
  const { idleMs, absoluteMs } = remember ? limits.remember : limits;
  const absoluteUntilMs = nowMs + absoluteMs;
  return { createdAtMs: nowMs, idleUntilMs: Math.min(nowMs + idleMs, absoluteUntilMs), absoluteUntilMs };
}

/** True if the user of a session chose to be remembered: it lasts longer than other sessions. */
export function isRemembered({ createdAtMs, absoluteUntilMs }: Deadlines, { absoluteMs }: SessionLimits): boolean {
  return absoluteUntilMs - createdAtMs > absoluteMs;
}

/** Returns the limits that apply to a session. */
export function limitsOf(session: Deadlines, limits: SessionLimits): SessionLimits['remember'] {
  return isRemembered(session, limits) ? limits.remember : limits;
}

/** Returns the idle deadline of a session that is used now. Undefined if a touch would gain too little. */
export function computeTouchedIdleUntilMs(
  session: Deadlines,
  limits: SessionLimits,
  nowMs: number,
): number | undefined {
  const { idleMs } = limitsOf(session, limits);
  const idleUntilMs = Math.min(nowMs + idleMs, session.absoluteUntilMs);
  const gainMs = idleUntilMs - session.idleUntilMs;
  // The last touch gains less than an interval. Without it, an active session would end early by that much.
  const isLast = idleUntilMs === session.absoluteUntilMs && gainMs > 0;
  return gainMs >= touchIntervalMs(idleMs) || isLast ? idleUntilMs : undefined;
}

/** Returns the idle deadline as `computeTouchedIdleUntilMs` does, but only in the second half of the idle time. A touch
 * that makes a new token could take back the change of a parallel request, so it must be rare. */
export function computeLateTouch(session: Deadlines, limits: SessionLimits, nowMs: number): number | undefined {
  if (nowMs < session.idleUntilMs - limitsOf(session, limits).idleMs / 2) return undefined;
  return computeTouchedIdleUntilMs(session, limits, nowMs);
}

/**
 * Returns the touch interval. It is long enough to cost nothing, and short enough that an active user never times out.
 */
function touchIntervalMs(idleMs: number): number {
  return Math.min(Math.max(touchIntervalMinMs, idleMs / 10), idleMs / 2);
}

interface PlainData {
  readonly json: string;
  readonly data: SessionData;
}

/** Returns `data` as a store would read it back: a copy with only what JSON can express. Throws `SessionTooLarge` with
 * the name of the largest part. */
export function toPlainData(data: SessionData, bytesMax: number): PlainData {
  const json = JSON.stringify(data);
  const bytes = Buffer.byteLength(json);
  if (bytes > bytesMax) throw new SessionTooLarge(bytes, bytesMax, findLargest(Object.entries(data)));
  return { json, data: JSON.parse(json) };
}

/** The room that an edit may use. The reserve is for security: in a full session, re-authentication must still fit. */
export type Room = 'ordinary' | 'reserve';

/** Size of the reserve, in bytes of JSON. Re-authentication adds about 130. */
export const reserveBytes = 256;

/**
 * Returns a copy of `data` with the edit applied, or undefined if the edit changed nothing. An edit that makes the data
 * no larger always fits. Throws `TypeError` for an edit that returns a promise, or new data: in JavaScript no type refuses
 * it, and the change would be lost.
 */
export function applyEdit(data: SessionData, edit: Edit, bytesMax: number): PlainData | undefined {
  const before = JSON.stringify(data);
  const draft: SessionData = JSON.parse(before);
  const returned: unknown = edit(draft);
  refusePromise(returned);
  const after = toPlainData(draft, Math.max(bytesMax, Buffer.byteLength(before)));
  if (after.json !== before) return after;
  if (isOtherData(returned, draft))
    throw new TypeError(`what an edit returns is ignored, and it changed nothing. Change the draft: ${editExample}`);
  return undefined;
}

export const editExample = 'session.change(data => { data.cart = … })';

/** True if an edit returned new data: an object that is neither the draft nor a part of it. */
function isOtherData(returned: unknown, draft: SessionData): boolean {
  if (typeof returned !== 'object' || returned === null || Array.isArray(returned)) return false;
  return returned !== draft && !Object.values<unknown>(draft).includes(returned);
}

function refusePromise(returned: unknown): void {
  if (typeof returned !== 'object' || returned === null || !('then' in returned)) return;
  // The promise may reject later. An unhandled rejection would end the process.
  Promise.resolve(returned).catch(() => undefined);
  throw new TypeError('an edit of a session must not be async: wait first, then change the data at once');
}

/** Returns the part with the most bytes of JSON. Undefined if there is no part. */
export function findLargest(parts: readonly (readonly [name: string, value: unknown])[]) {
  return parts
    .map(([name, value]) => ({ name, bytes: Buffer.byteLength(JSON.stringify(value) ?? '') }))
    .toSorted((one, other) => other.bytes - one.bytes)[0];
}

/** 32 bytes in base64url: 43 characters. The last character carries only four bits, so only 16 characters are possible
 * there. */
const secretShape = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const idShape = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048][A-Za-z0-9_-]{16}$/;
const secretChars = 43;
const tagChars = 16;

/** Returns a random secret of 43 characters. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Checks the exact form of a secret. So a secret has exactly one spelling. */
export function isSecret(text: string): boolean {
  return secretShape.test(text);
}

/**
 * Returns a new session id: a secret, and the tag of the user. The tag tells a store where the epoch of the user is,
 * before it has read the session.
 */
export function newSessionId(user: string): string {
  return `${newSecret()}${userTagOf(user)}`;
}

/** Checks the exact form. So a session has exactly one spelling, and no foreign text reaches a store. */
export function isSessionId(text: string): boolean {
  return idShape.test(text);
}

/** Returns the tag of a user: 12 bytes of a hash of the name, 16 characters. It is the same in every session id of the
 * user. It names no user, but confirms a guessed name. */
export function userTagOf(user: string): string {
  return hash('sha256', `holdfast:user-tag:${user}`, 'base64url').slice(0, tagChars);
}

/**
 * Returns the id under which a store keeps the session of a token. Under another cookie name, the same token has another
 * id. So a token that was seen over plain HTTP is unknown over TLS.
 */
export function bindToCookie(token: string, cookie = cookieName(false)): string {
  if (cookie === cookieName(false)) return token;
  return `${hash('sha256', `${cookie}=${token}`, 'base64url')}${userTagIn(token)}`;
}

/** Returns the tag of the user in a session id. */
export function userTagIn(id: string): string {
  return id.slice(secretChars);
}

/** Throws if the id was made for another user. Its session would depend on the epoch of that user. */
export function assertIdOfUser(id: string, user: string): void {
  if (userTagIn(id) !== userTagOf(user)) throw new TypeError('the session id was made for another user');
}

/** Returns the key under which a store keeps a secret: its SHA-256 in hex, 64 characters. An attacker who reads the
 * store cannot make a cookie from it. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'hex');
}

export function handleOf(digest: string): string {
  return digest.slice(0, 16);
}

/** Returns the handle of the session with this id. */
export function handleOfId(id: string): string {
  return handleOf(digestOf(id));
}
