import { parseJson } from '../../../shared/text.js';
import { clientText, parseClient } from '../../client.js';
import {
  buildSummary,
  digestOf,
  type Epochs,
  handleOf,
  type NewSessionRecord,
  nextEpoch,
  type SessionData,
  type SessionRecord,
  type SessionSummary,
} from '../../session.js';
import type { CallKind } from '../../session-store.js';

/** A statement. Each connection prepares it once by its name. */
export interface Statement {
  readonly name: string;
  readonly kind: CallKind;
  readonly text: string;
}

/** Name of the table. The rows that come back use its column names. */
export const table = 'holdfast_sessions';
export const epochTable = 'holdfast_epochs';

/**
 * Creates the table and its indexes, if they do not exist.
 *
 * `key` is the SHA-256 of the id. `user_key` is the SHA-256 of the user name, so that a long name fits into an index.
 * Name and data are JSON in `text` columns: neither `text` nor `jsonb` can hold a NUL character, which JSON can escape.
 * Times are milliseconds since 1970 by the clocks of the backends. The server's own clock decides nothing.
 *
 * A simple query with several statements is one transaction: the lock is held until all of it is committed. `IF NOT
 * EXISTS` alone does not help when two backends boot at once: both look, both create, and one fails.
 */
export const createTable = `
SELECT pg_advisory_xact_lock(hashtextextended('${table}', 0));
CREATE TABLE IF NOT EXISTS ${epochTable} (
  user_key bytea PRIMARY KEY,
  epoch bigint NOT NULL,
  until_ms bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS ${table} (
  key bytea PRIMARY KEY,
  user_key bytea NOT NULL,
  user_json text NOT NULL,
  version bigint NOT NULL,
  created_at_ms bigint NOT NULL,
  idle_until_ms bigint NOT NULL,
  absolute_until_ms bigint NOT NULL,
  data_json text NOT NULL
);
ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS user_epoch bigint NOT NULL DEFAULT -1;
ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS everyone_epoch bigint NOT NULL DEFAULT -1;
ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS client_json text NOT NULL DEFAULT '';
CREATE INDEX IF NOT EXISTS ${table}_of_user ON ${table} (user_key, created_at_ms);
CREATE INDEX IF NOT EXISTS ${epochTable}_over ON ${epochTable} (until_ms);
CREATE INDEX IF NOT EXISTS ${table}_over ON ${table} (least(idle_until_ms, absolute_until_ms));`;

/** The key of the epoch of everyone. No digest is so short. */
const everyone = `'\\x00'::bytea`;

/** The epoch of everyone is never pruned. */
const foreverMs = Number.MAX_SAFE_INTEGER;

/**
 * Condition for a live session. $2 is the caller's clock in every statement. After the loss of an epoch it is false.
 *
 * A session that another statement moves to a raised epoch at the same time has a greater one than this statement sees.
 */
const alive = `idle_until_ms > $2 AND absolute_until_ms > $2
  AND user_epoch >= (SELECT epoch FROM ${epochTable} WHERE ${epochTable}.user_key = ${table}.user_key)
  AND everyone_epoch = (SELECT epoch FROM ${epochTable} WHERE ${epochTable}.user_key = ${everyone})`;

/** Arguments: key, now. */
export const read: Statement = {
  name: 'holdfast_read',
  kind: 'reads',
  text: `SELECT version, user_json, created_at_ms, idle_until_ms, absolute_until_ms, user_epoch, everyone_epoch, data_json
FROM ${table} WHERE key = $1 AND ${alive}`,
};

/**
 * Arguments: key, user key, user, version, created, idle deadline, absolute deadline, data, given epoch of the user
 * and of everyone or null, a fresh epoch, the time until which the epoch is kept, the client. Fails if the key exists.
 *
 * The row of the epoch stays locked until the session is there. If the epoch is raised before this statement, the
 * session gets the new one. If it is raised afterwards, the session ends.
 */
export const create: Statement = {
  name: 'holdfast_create',
  kind: 'writes',
  text: `WITH own AS (
  INSERT INTO ${epochTable} AS known (user_key, epoch, until_ms) VALUES ($2, coalesce($9::bigint, $11), $12)
  ON CONFLICT (user_key) DO UPDATE SET
    epoch = greatest(known.epoch, $9::bigint), until_ms = greatest(known.until_ms, excluded.until_ms)
  RETURNING epoch
), every AS (
  INSERT INTO ${epochTable} AS known (user_key, epoch, until_ms)
  SELECT ${everyone}, coalesce($10::bigint, $11), ${foreverMs}
  WHERE NOT EXISTS (SELECT FROM ${epochTable} WHERE user_key = ${everyone} AND epoch >= coalesce($10::bigint, 0))
  ON CONFLICT (user_key) DO UPDATE SET epoch = greatest(known.epoch, $10::bigint)
  RETURNING epoch
)
INSERT INTO ${table}
(key, user_key, user_json, version, created_at_ms, idle_until_ms, absolute_until_ms, data_json, client_json,
 user_epoch, everyone_epoch)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $13, coalesce($9::bigint, own.epoch), coalesce($10::bigint,
  (SELECT epoch FROM every), (SELECT epoch FROM ${epochTable} WHERE user_key = ${everyone}))
FROM own
RETURNING user_epoch, everyone_epoch`,
};

/** Arguments: user key, now, user, the kept session or null, a fresh epoch, the time until which the epoch is kept.
 * Removes the other sessions too. */
export const raiseEpoch: Statement = {
  name: 'holdfast_raise_epoch',
  kind: 'removals',
  text: `WITH raised AS (
  INSERT INTO ${epochTable} AS known (user_key, epoch, until_ms) VALUES ($1, $5, $6)
  ON CONFLICT (user_key) DO UPDATE SET
    epoch = greatest(known.epoch + 1, $2), until_ms = greatest(known.until_ms, excluded.until_ms)
  RETURNING epoch
), moved AS (
  UPDATE ${table} SET user_epoch = raised.epoch, version = version + 1 FROM raised
  WHERE key = $4::bytea AND ${table}.user_key = $1 AND user_json = $3 AND ${alive}
), ended AS (
  DELETE FROM ${table} USING raised
  WHERE ${table}.user_key = $1 AND user_json = $3 AND key IS DISTINCT FROM $4::bytea AND user_epoch < raised.epoch
)
SELECT epoch FROM raised`,
};

/**
 * Arguments: key, now, the next version, data. Waits for a concurrent change or removal of the row. A second look with
 * a lock then decides between `conflict` and `gone`. A look without a lock would see the rows as they were when the
 * statement began.
 */
export const replace: Statement = {
  name: 'holdfast_replace',
  kind: 'writes',
  text: `WITH saved AS (
  UPDATE ${table} SET version = $3, data_json = $4 WHERE key = $1 AND version = $3 - 1 AND ${alive} RETURNING true
)
SELECT CASE WHEN EXISTS (SELECT FROM saved) THEN 'saved'
  WHEN EXISTS (SELECT FROM ${table} WHERE key = $1 AND ${alive} FOR KEY SHARE) THEN 'conflict'
  ELSE 'gone' END AS outcome`,
};

/** Arguments: key, now, the new idle deadline. */
export const touch: Statement = {
  name: 'holdfast_touch',
  kind: 'writes',
  text: `UPDATE ${table} SET idle_until_ms = least($3, absolute_until_ms) WHERE key = $1 AND ${alive} RETURNING true`,
};

/** Arguments: key, now, the only version to remove or null for any. An expired row is removed too, and counts as
 * `gone`. */
export const remove: Statement = {
  name: 'holdfast_remove',
  kind: 'removals',
  text: `WITH removed AS (
  DELETE FROM ${table} WHERE key = $1 AND ($3::bigint IS NULL OR version = $3 OR NOT (${alive})) RETURNING ${alive} AS lived
)
SELECT CASE WHEN EXISTS (SELECT FROM removed WHERE lived) THEN 'removed'
  WHEN EXISTS (SELECT FROM removed) THEN 'gone'
  WHEN EXISTS (SELECT FROM ${table} WHERE key = $1 AND ${alive} FOR KEY SHARE) THEN 'conflict'
  ELSE 'gone' END AS outcome`,
};

/** Arguments: user key, now, user, maximum number of rows. The newest come first. */
export const listByUser: Statement = {
  name: 'holdfast_list_by_user',
  kind: 'reads',
  text: `SELECT key, created_at_ms, idle_until_ms, client_json FROM ${table}
WHERE user_key = $1 AND user_json = $3 AND ${alive} ORDER BY created_at_ms DESC LIMIT $4`,
};

/** Arguments: user key, now, user, the first bytes of the key. The subquery finds the key in the primary index: a search
 * among all sessions of a user takes as long as the user has sessions. */
export const removeByHandle: Statement = {
  name: 'holdfast_remove_by_handle',
  kind: 'removals',
  text: `DELETE FROM ${table}
WHERE key = (SELECT key FROM ${table} WHERE key >= $4::bytea ORDER BY key LIMIT 1)
  AND user_key = $1 AND user_json = $3 AND substring(key FROM 1 FOR octet_length($4::bytea)) = $4 AND ${alive} RETURNING true`,
};

/** Arguments: now, a fresh epoch. Ends all sessions at once, however many there are. The pruner removes their rows. */
export const clear: Statement = {
  name: 'holdfast_clear',
  kind: 'removals',
  text: `INSERT INTO ${epochTable} AS known (user_key, epoch, until_ms) VALUES (${everyone}, $2, ${foreverMs})
ON CONFLICT (user_key) DO UPDATE SET epoch = greatest(known.epoch + 1, $1) RETURNING epoch`,
};

/** Arguments: the time until which rows must have expired, maximum number of rows. Rows that another transaction has
 * locked are left for a later round. */
export const prune: Statement = {
  name: 'holdfast_prune',
  kind: 'removals',
  text: `WITH epochs AS (
  DELETE FROM ${epochTable} WHERE user_key = ANY (ARRAY (
    SELECT user_key FROM ${epochTable} WHERE until_ms <= $1 ORDER BY until_ms LIMIT $2 FOR UPDATE SKIP LOCKED
  )) RETURNING true
), sessions AS (
  DELETE FROM ${table} WHERE key = ANY (ARRAY (
    SELECT key FROM ${table} WHERE least(idle_until_ms, absolute_until_ms) <= $1
    ORDER BY least(idle_until_ms, absolute_until_ms) LIMIT $2 FOR UPDATE SKIP LOCKED
  )) RETURNING true
)
SELECT FROM epochs UNION ALL SELECT FROM sessions`,
};

/** One row of an answer, by the column names of the table. A bigint is text, a bytea is a buffer. */
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
  const [user, data] = [row.user_json, row.data_json].map(json => parseJson(String(json)));
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

function isData(value: unknown): value is SessionData {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
