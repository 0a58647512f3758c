import { clientText, parseClient } from '../../client.js';
import { type Epochs, nextEpoch } from '../../epochs.js';
import {
  buildSummary,
  digestOf,
  handleOf,
  type NewSessionRecord,
  type SessionData,
  type SessionRecord,
  type SessionSummary,
} from '../../session.js';

/** One row of an answer, by the column names of `statements.ts`. A bigint is text, a bytea is a buffer. */
export type Row = Readonly<Record<string, unknown>>;
export type Value = Buffer | string | number | null;

/** Returns the SHA-256 of an id, or of the name of a user. */
export function keyOf(text: string): Buffer {
  return Buffer.from(digestOf(text), 'hex');
}

/** An epoch is kept this much longer than the session that refers to it. */
const epochLifeMs = 3_600_000;

/** Returns the values of `create`. */
export function valuesOf(id: string, record: NewSessionRecord, nowMs: number): readonly Value[] {
  const { user, version, createdAtMs, idleUntilMs, absoluteUntilMs, data, epochs } = record;
  const times = [createdAtMs, idleUntilMs, absoluteUntilMs].map(Math.floor);
  const session = [keyOf(id), keyOf(user), JSON.stringify(user), version, ...times, JSON.stringify(data)];
  const given = [epochs?.user ?? null, epochs?.everyone ?? null];
  const untilMs = Math.max(nowMs, Math.floor(absoluteUntilMs)) + epochLifeMs;
  return [...session, ...given, nextEpoch(undefined, nowMs), untilMs, clientText(record.client)];
}

/** Returns the values of `raiseEpoch`. */
export function valuesOfRaise(user: string, except: string | undefined, nowMs: number): readonly Value[] {
  const kept = except === undefined ? null : keyOf(except);
  return [keyOf(user), nowMs, JSON.stringify(user), kept, nextEpoch(undefined, nowMs), nowMs + epochLifeMs];
}

export function epochsOf({ user_epoch: user, everyone_epoch: everyone }: Row): Epochs {
  return { user: Number(user), everyone: Number(everyone) };
}

/** Parses a row. Undefined for a foreign row: its texts are not JSON, or other JSON. */
export function recordOf(row: Row): SessionRecord | undefined {
  const [user, data] = [parseJson(row.user_json), parseJson(row.data_json)];
  if (typeof user !== 'string' || !isData(data)) return undefined;
  return {
    user,
    data,
    version: Number(row.version),
    createdAtMs: Number(row.created_at_ms),
    idleUntilMs: Number(row.idle_until_ms),
    absoluteUntilMs: Number(row.absolute_until_ms),
    epochs: epochsOf(row),
  };
}

export function summaryOf(row: Row): SessionSummary[] {
  if (!Buffer.isBuffer(row.key)) return [];
  const handle = handleOf(row.key.toString('hex'));
  const times = { createdAtMs: Number(row.created_at_ms), idleUntilMs: Number(row.idle_until_ms) };
  return [buildSummary({ handle, ...times, client: parseClient(row.client_json) })];
}

function parseJson(json: unknown): unknown {
  try {
    return JSON.parse(String(json));
  } catch {
    return undefined;
  }
}

function isData(value: unknown): value is SessionData {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
