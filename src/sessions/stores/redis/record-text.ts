import type { SessionData, SessionRecord } from '../../session.js';

/** The two fields of a session's hash: everything but the data, and the data. `scripts.ts` says how they look. */
export const fields = ['m', 'd'] as const;
const headShape = /^(\d+) (\d+) (\d+) (\d+) (.*)$/s;

export function headOf({ version, idleUntilMs, absoluteUntilMs, createdAtMs, user }: SessionRecord): string {
  return [version, ...[idleUntilMs, absoluteUntilMs, createdAtMs].map(Math.floor), user].join(' ');
}

export function readable([head, json]: readonly (string | null)[], nowMs: number): SessionRecord | undefined {
  const [, version, idle, absolute, created, user] = headShape.exec(head ?? '') ?? [];
  if (user === undefined) return undefined;
  const [idleUntilMs, absoluteUntilMs] = [Number(idle), Number(absolute)];
  if (nowMs >= idleUntilMs || nowMs >= absoluteUntilMs) return undefined;
  const data = parsed(json ?? '');
  if (data === undefined) return undefined;
  return { user, data, version: Number(version), createdAtMs: Number(created), idleUntilMs, absoluteUntilMs };
}

function parsed(json: string): SessionData | undefined {
  try {
    const data: SessionData | null = JSON.parse(json);
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : undefined;
  } catch {
    return undefined;
  }
}
