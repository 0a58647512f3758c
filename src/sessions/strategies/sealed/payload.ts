import type { SessionData, SessionRecord } from '../../session.js';

/** The content of a sealed token. */
export interface Payload {
  /** The id of the session in all its tokens, in the registry and in revocations. It is not the token. */
  readonly sid: string;
  /** Time at which this token was sealed. */
  readonly issuedAtMs: number;
  readonly record: SessionRecord;
}

/**
 * Maximum size of all but the user and the data, in bytes: 13 digits until the year 2286 for a time and for each epoch,
 * 10 digits for each duration (115 days) and the version, a session id in quotes, and brackets and commas. It is a
 * maximum, so that a token cannot outgrow its limit later.
 */
const fixedBytesMax = 3 * 13 + 4 * 10 + 61 + 11;

/** Returns the maximum size of a payload with this user and data, in bytes. */
export function countPayloadBytesMax(user: string, dataJson: string): number {
  return fixedBytesMax + Buffer.byteLength(JSON.stringify(user)) + Buffer.byteLength(dataJson);
}

/** The payload as an array with durations, because every request carries each name and digit. */
type Fields = readonly [
  sid: string,
  user: string,
  createdAtMs: number,
  absoluteMs: number,
  idleMs: number,
  issuedMs: number,
  version: number,
  userEpoch: number,
  everyoneEpoch: number,
  data: SessionData,
];

const types = ['string', 'string', ...Array<string>(7).fill('number'), 'object'];

export function payloadText({ sid, issuedAtMs, record }: Payload): string {
  const { user, createdAtMs, absoluteUntilMs, idleUntilMs, version, epochs, data } = record;
  const [absoluteMs, idleMs, issuedMs] = [
    absoluteUntilMs - createdAtMs,
    idleUntilMs - createdAtMs,
    issuedAtMs - createdAtMs,
  ];
  const head = [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version] as const;
  const fields: Fields = [...head, epochs.user, epochs.everyone, data];
  return JSON.stringify(fields);
}

/** Parses a payload. Undefined for the format of another version of this program. */
export function parsePayload(text: string): Payload | undefined {
  const fields = parseJson(text);
  if (!isPayload(fields)) return undefined;
  const [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, userEpoch, everyoneEpoch, data] = fields;
  const [absoluteUntilMs, idleUntilMs] = [createdAtMs + absoluteMs, createdAtMs + idleMs];
  const epochs = { user: userEpoch, everyone: everyoneEpoch };
  const record = { user, data, version, createdAtMs, idleUntilMs, absoluteUntilMs, epochs };
  return { sid, issuedAtMs: createdAtMs + issuedMs, record };
}

function isPayload(value: unknown): value is Fields {
  if (!Array.isArray(value) || value.length !== types.length) return false;
  const data: unknown = value.at(-1);
  return value.every((field, at) => typeof field === types[at]) && data !== null && !Array.isArray(data);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
