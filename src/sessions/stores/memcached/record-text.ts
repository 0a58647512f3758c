import { noEpochs } from '../../end-sessions.js';
import type { NewSessionRecord, SessionData, SessionRecord } from '../../session.js';

/**
 * The text of a session in memcached. The first line is "version idleUntil absoluteUntil createdAt generation user".
 * The user is JSON, so that any name is possible. The second line is the data as JSON. A touch and a replacement
 * rewrite one line and never decode the other.
 */
export interface Kept {
  readonly version: number;
  readonly idleUntilMs: number;
  readonly absoluteUntilMs: number;
  readonly createdAtMs: number;
  /** The generation of the session; see `generation.ts`. */
  readonly generation: string;
  readonly userJson: string;
  readonly dataJson: string;
}

const headShape = /^(\d+) (\d+) (\d+) (\d+) ([\w-]+) (".*")$/s;

export function keptOf(record: NewSessionRecord, generation: string): Kept {
  const [idleUntilMs, absoluteUntilMs, createdAtMs] = [
    Math.floor(record.idleUntilMs),
    Math.floor(record.absoluteUntilMs),
    Math.floor(record.createdAtMs),
  ];
  const [userJson, dataJson] = [JSON.stringify(record.user), JSON.stringify(record.data)];
  return { version: record.version, idleUntilMs, absoluteUntilMs, createdAtMs, generation, userJson, dataJson };
}

export function textOf(kept: Kept): string {
  const { version, idleUntilMs, absoluteUntilMs, createdAtMs, generation, userJson, dataJson } = kept;
  return `${version} ${idleUntilMs} ${absoluteUntilMs} ${createdAtMs} ${generation} ${userJson}\n${dataJson}`;
}

/** Parses a session. Undefined if the text is no session, has expired, or belongs to another generation than the
 * present one. */
export function parseLive(text: string | undefined, generation: string | undefined, nowMs: number): Kept | undefined {
  const headEnd = text?.indexOf('\n') ?? -1;
  if (text === undefined || headEnd < 0) return undefined;
  const [, version, idle, absolute, created, of, userJson = ''] = headShape.exec(text.slice(0, headEnd)) ?? [];
  const [idleUntilMs, absoluteUntilMs] = [Number(idle), Number(absolute)];
  if (of === undefined || of !== generation || !(nowMs < idleUntilMs && nowMs < absoluteUntilMs)) return undefined;
  const dataJson = text.slice(headEnd + 1);
  const [versionNumber, createdAtMs] = [Number(version), Number(created)];
  return { version: versionNumber, idleUntilMs, absoluteUntilMs, createdAtMs, generation: of, userJson, dataJson };
}

export function recordOf(kept: Kept): SessionRecord | undefined {
  const { userJson, dataJson, generation, ...rest } = kept;
  try {
    const user: unknown = JSON.parse(userJson);
    const data: SessionData | null = JSON.parse(dataJson);
    const isWhole = typeof user === 'string' && typeof data === 'object' && data !== null && !Array.isArray(data);
    return isWhole ? { user, data, epochs: noEpochs, ...rest } : undefined;
  } catch {
    return undefined;
  }
}
