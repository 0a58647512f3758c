import type { CallKind } from '../../store-transitions.js';

/** A statement. Each connection prepares it once by its name. */
export interface Statement {
  readonly name: string;
  readonly kind: CallKind;
  readonly text: string;
}

/** Name of the table. The rows that come back use its column names. */
export const table = 'holdfast_sessions';

/**
 * Creates the table and its indexes, if they do not exist.
 *
 * `key` is the SHA-256 of the id. `user_key` is the SHA-256 of the user name, so that a long name fits into an index.
 * Name and data are JSON in `text` columns: neither `text` nor `jsonb` can hold a NUL character, which JSON can escape.
 * Times are milliseconds since the epoch by the clocks of the backends. The server's own clock decides nothing.
 *
 * A simple query with several statements is one transaction: the lock is held until all of it is committed. `IF NOT
 * EXISTS` alone does not help when two backends boot at once: both look, both create, and one fails.
 */
export const createTable = `
SELECT pg_advisory_xact_lock(hashtextextended('${table}', 0));
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
CREATE INDEX IF NOT EXISTS ${table}_of_user ON ${table} (user_key, created_at_ms);
CREATE INDEX IF NOT EXISTS ${table}_over ON ${table} (least(idle_until_ms, absolute_until_ms));`;

/** Condition for a live session. $2 is the caller's clock in every statement. */
const alive = 'idle_until_ms > $2 AND absolute_until_ms > $2';

/** Arguments: key, now. */
export const read: Statement = {
  name: 'holdfast_read',
  kind: 'reads',
  text: `SELECT version, user_json, created_at_ms, idle_until_ms, absolute_until_ms, data_json
FROM ${table} WHERE key = $1 AND ${alive}`,
};

/**
 * Arguments: key, user key, user, version, created, idle deadline, absolute deadline, data. Fails if the key exists.
 */
export const create: Statement = {
  name: 'holdfast_create',
  kind: 'writes',
  text: `INSERT INTO ${table}
(key, user_key, user_json, version, created_at_ms, idle_until_ms, absolute_until_ms, data_json)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
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
  text: `SELECT key, created_at_ms, idle_until_ms FROM ${table}
WHERE user_key = $1 AND user_json = $3 AND ${alive} ORDER BY created_at_ms DESC LIMIT $4`,
};

/** Arguments: user key, now, user, the first bytes of the key. */
export const removeByHandle: Statement = {
  name: 'holdfast_remove_by_handle',
  kind: 'removals',
  text: `DELETE FROM ${table}
WHERE user_key = $1 AND user_json = $3 AND substring(key FROM 1 FOR octet_length($4::bytea)) = $4 AND ${alive} RETURNING true`,
};

/** Removes all rows at once, however many there are. A concurrent change comes before it, or finds no row. */
export const clear: Statement = { name: 'holdfast_clear', kind: 'removals', text: `TRUNCATE ${table}` };

/** Arguments: the time until which rows must have expired, maximum number of rows. Rows that another transaction has
 * locked are left for a later round. */
export const prune: Statement = {
  name: 'holdfast_prune',
  kind: 'removals',
  text: `DELETE FROM ${table} WHERE key = ANY (ARRAY (
  SELECT key FROM ${table} WHERE least(idle_until_ms, absolute_until_ms) <= $1
  ORDER BY least(idle_until_ms, absolute_until_ms) LIMIT $2 FOR UPDATE SKIP LOCKED
)) RETURNING true`,
};
