import { hash } from 'node:crypto';
import { SessionConflict } from '../../errors.js';
import { seal, unseal } from '../../seal.js';
import {
  type Epochs,
  limitsOf,
  type NewSessionRecord,
  newSecret,
  type SessionData,
  type SessionLimits,
  type SessionRecord,
} from '../../session.js';
import type { SessionStore } from '../../session-store.js';

/** Grace period, in which an exchanged refresh token gets the same successor again. The first answer may have been
 * lost, or several requests of one page may have carried the same token. */
export const graceMs = 10_000;
const triesMax = 5;
const purpose = 'holdfast:jwt:successor';

/** The record of the refresh tokens of one session in the store. It opens nothing: it has hashes, and a successor that
 * only the previous token can unseal. */
interface Family {
  readonly current: string;
  readonly previous: string;
  readonly rotatedAtMs: number;
  readonly successor: string;
}

interface Exchanged {
  readonly refresh: string;
  readonly idleUntilMs: number;
}

/** Builds the record of a new family. Without epochs, it gets the present ones of the store. */
export function buildFamilyRecord(
  record: Omit<NewSessionRecord, 'data' | 'version'>,
  refresh: string,
  epochs?: Epochs,
): NewSessionRecord {
  const family: Family = { current: hashOf(refresh), previous: '', rotatedAtMs: 0, successor: '' };
  return { ...record, version: 1, data: { ...family }, epochs };
}

/**
 * Refresh tokens. Each can be exchanged once for the next one. All tokens of one login are a family: one record in the
 * store under the session's id.
 *
 * A retired token that comes again was copied. It is unknown which holder is the thief, so the session ends
 * (RFC 9700, section 4.14.2).
 */
export class RefreshFamilies {
  readonly #store: SessionStore;
  readonly #limits: SessionLimits;
  readonly #now: () => number;

  constructor(store: SessionStore, limits: SessionLimits, now: () => number) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
  }

  /** Exchanges a token. Of concurrent exchanges of one token, exactly one makes the successor, and all receive it.
   * `reused`: the token was retired before. The idle deadline moves with each rotation. */
  async exchange(sid: string, refresh: string): Promise<Exchanged | 'unknown' | 'reused'> {
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#store.read(sid);
      const family = record && familyIn(record.data);
      if (record === undefined || family === undefined) return 'unknown';
      const hashed = hashOf(refresh);
      if (hashed !== family.current) return this.#repeatExchange(record, family, refresh);
      const outcome = await this.#rotate(sid, record, refresh);
      if (outcome !== 'conflict') return outcome;
    }
    throw new SessionConflict();
  }

  #repeatExchange(record: SessionRecord, family: Family, refresh: string): Exchanged | 'reused' {
    const isLate = this.#now() >= family.rotatedAtMs + graceMs;
    if (hashOf(refresh) !== family.previous || isLate) return 'reused';
    const successor = unseal(ringOf(refresh), purpose, family.successor);
    if (typeof successor === 'string') return 'reused';
    return { refresh: successor.text, idleUntilMs: record.idleUntilMs };
  }

  /** Moves the idle deadline first. If it came second and failed, the browser would have to retry within the grace
   * period. */
  async #rotate(sid: string, record: SessionRecord, refresh: string): Promise<Exchanged | 'unknown' | 'conflict'> {
    const nowMs = this.#now();
    const { idleMs } = limitsOf(record, this.#limits);
    const idleUntilMs = Math.max(record.idleUntilMs, Math.min(nowMs + idleMs, record.absoluteUntilMs));
    if (!(await this.#store.touch(sid, idleUntilMs))) return 'unknown';
    const next = newSecret();
    const family: Family = {
      current: hashOf(next),
      previous: hashOf(refresh),
      rotatedAtMs: nowMs,
      successor: seal(ringOf(refresh), purpose, next),
    };
    const version = record.version + 1;
    const outcome = await this.#store.replace(sid, { ...record, version, data: { ...family } });
    if (outcome === 'saved') return { refresh: next, idleUntilMs };
    return outcome === 'gone' ? 'unknown' : outcome;
  }
}

export function hashOf(refresh: string): string {
  return hash('sha256', refresh, 'base64url');
}

function ringOf(refresh: string) {
  return [{ id: 'refresh', secret: Buffer.from(refresh, 'base64url') }];
}

function familyIn({ current, previous, rotatedAtMs, successor }: SessionData): Family | undefined {
  const isFamily = typeof current === 'string' && typeof previous === 'string' && typeof successor === 'string';
  return isFamily && typeof rotatedAtMs === 'number' ? { current, previous, rotatedAtMs, successor } : undefined;
}
