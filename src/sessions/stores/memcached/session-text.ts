import { clientText } from '../../client.js';
import { StoreUnavailable } from '../../errors.js';
import type { Epochs, NewSessionRecord, PresentEpochs, SessionData, SessionRecord } from '../../session.js';

/**
 * The text of a session in memcached. The first line is "version idleUntil absoluteUntil createdAt epochsOfUser
 * epochOfEveryone user". The user is JSON, so that any name is possible. The second line is the client that began the
 * session, as JSON or empty, and the third is the data as JSON. A touch and a replacement rewrite one line and never
 * decode the others.
 *
 * A session that goes on when the epoch is raised gets the new epoch first, beside the old one. memcached cannot change
 * two items in one step. So the session lives before and after the epoch is raised.
 */
export interface Kept {
  readonly version: number;
  readonly idleUntilMs: number;
  readonly absoluteUntilMs: number;
  readonly createdAtMs: number;
  /** The session lives under each of these epochs of its user. */
  readonly users: readonly number[];
  readonly everyone: number;
  readonly userJson: string;
  readonly clientJson: string;
  readonly dataJson: string;
}

const usersMax = 8;
const headShape = /^(\d+) (\d+) (\d+) (\d+) ([\d,]+) (\d+) (".*")$/s;

export function keptOf(record: NewSessionRecord, { user, everyone }: Epochs): Kept {
  const [idleUntilMs, absoluteUntilMs, createdAtMs] = [
    Math.floor(record.idleUntilMs),
    Math.floor(record.absoluteUntilMs),
    Math.floor(record.createdAtMs),
  ];
  const [userJson, dataJson] = [JSON.stringify(record.user), JSON.stringify(record.data)];
  return {
    version: record.version,
    idleUntilMs,
    absoluteUntilMs,
    createdAtMs,
    users: [user],
    everyone,
    userJson,
    clientJson: clientText(record.client),
    dataJson,
  };
}

/** Returns the next version of a session, which lives under one more epoch of its user. */
export function addEpoch(kept: Kept, epoch: number): Kept {
  return { ...kept, version: kept.version + 1, users: [...kept.users, epoch].slice(-usersMax) };
}

export function textOf(kept: Kept): string {
  const { version, idleUntilMs, absoluteUntilMs, createdAtMs, users, everyone, userJson } = kept;
  const head = `${version} ${idleUntilMs} ${absoluteUntilMs} ${createdAtMs} ${users} ${everyone} ${userJson}`;
  return `${head}\n${kept.clientJson}\n${kept.dataJson}`;
}

/** The present epochs of a user. `isSure` is false if the second server could not be asked. */
export interface SeenEpochs extends PresentEpochs {
  readonly isSure: boolean;
}

/** Parses a session. Undefined if the text is no session, or has other epochs than the present ones. Throws
 * `StoreUnavailable` if the session has a newer epoch and the second server, which may have it too, does not answer. */
export function parsePresent(text: string | undefined, present: SeenEpochs): Kept | undefined {
  const headEnd = text?.indexOf('\n') ?? -1;
  const clientEnd = text?.indexOf('\n', headEnd + 1) ?? -1;
  if (text === undefined || headEnd < 0 || clientEnd < 0) return undefined;
  const [, version, idle, absolute, created, ofUser = '', ofEveryone, userJson = ''] =
    headShape.exec(text.slice(0, headEnd)) ?? [];
  const [idleUntilMs, absoluteUntilMs, everyone] = [Number(idle), Number(absolute), Number(ofEveryone)];
  if (ofEveryone === undefined || !(idleUntilMs > 0 && absoluteUntilMs > 0)) return undefined;
  const users = ofUser.split(',').map(Number);
  if (present.user === undefined || present.everyone === undefined) return undefined;
  if (!users.includes(present.user) || everyone !== present.everyone) {
    const isNewer = Math.max(...users) > present.user || everyone > present.everyone;
    if (isNewer && !present.isSure) throw new StoreUnavailable('the server with the newer epoch does not answer');
    return undefined;
  }
  const [clientJson, dataJson] = [text.slice(headEnd + 1, clientEnd), text.slice(clientEnd + 1)];
  const [versionNumber, createdAtMs] = [Number(version), Number(created)];
  const times = { idleUntilMs, absoluteUntilMs, createdAtMs };
  return { version: versionNumber, ...times, users, everyone, userJson, clientJson, dataJson };
}

export function isOver({ idleUntilMs, absoluteUntilMs }: Kept, nowMs: number): boolean {
  return nowMs >= Math.min(idleUntilMs, absoluteUntilMs);
}

export function recordOf(kept: Kept, { user: epoch = 0 }: SeenEpochs): SessionRecord | undefined {
  const { userJson, clientJson: _client, dataJson, users: _, everyone, ...rest } = kept;
  try {
    const user: unknown = JSON.parse(userJson);
    const data: SessionData | null = JSON.parse(dataJson);
    const isWhole = typeof user === 'string' && typeof data === 'object' && data !== null && !Array.isArray(data);
    return isWhole ? { user, data, ...rest, epochs: { user: epoch, everyone } } : undefined;
  } catch {
    return undefined;
  }
}
