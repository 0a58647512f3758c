import type { SessionData, SessionRecord } from '../../session.js';

/** What a sealed token says. */
export interface Payload {
  /** Names the session through all its tokens, in the registry and when it is revoked. Not the token. */
  readonly sid: string;
  /** When this token was sealed. */
  readonly issuedAtMs: number;
  readonly record: SessionRecord;
}

/** The most that the numbers of a payload can take: 13 digits until the year 2286, 10 for the spans (115 days) and the
 * version; a session id in quotes; brackets and commas. What varies must not make a token grow over its limit later. */
const fixedBytesMax = 13 + 4 * 10 + 45 + 9;

/** The most bytes that any payload with this user and data will have. */
export function payloadBytesMax(user: string, dataJson: string): number {
  return fixedBytesMax + Buffer.byteLength(JSON.stringify(user)) + Buffer.byteLength(dataJson);
}

/** A list and no object, spans and no dates: each name and digit would travel with every request. */
type Fields = readonly [
  sid: string,
  user: string,
  createdAtMs: number,
  absoluteMs: number,
  idleMs: number,
  issuedMs: number,
  version: number,
  data: SessionData,
];

const types = ['string', 'string', 'number', 'number', 'number', 'number', 'number', 'object'];

export function payloadText({ sid, issuedAtMs, record }: Payload): string {
  const { user, createdAtMs, absoluteUntilMs, idleUntilMs, version, data } = record;
  const [absoluteMs, idleMs, issuedMs] = [
    absoluteUntilMs - createdAtMs,
    idleUntilMs - createdAtMs,
    issuedAtMs - createdAtMs,
  ];
  const fields: Fields = [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, data];
  return JSON.stringify(fields);
}

/** Undefined for what another version of this program sealed otherwise. */
export function payloadOf(text: string): Payload | undefined {
  const fields = parsed(text);
  if (!isPayload(fields)) return undefined;
  const [sid, user, createdAtMs, absoluteMs, idleMs, issuedMs, version, data] = fields;
  const [absoluteUntilMs, idleUntilMs] = [createdAtMs + absoluteMs, createdAtMs + idleMs];
  const record = { user, data, version, createdAtMs, idleUntilMs, absoluteUntilMs };
  return { sid, issuedAtMs: createdAtMs + issuedMs, record };
}

function isPayload(value: unknown): value is Fields {
  if (!Array.isArray(value) || value.length !== types.length) return false;
  const data: unknown = value.at(-1);
  return value.every((field, at) => typeof field === types[at]) && data !== null && !Array.isArray(data);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
