import { listConnectionFields } from '#src/proxy/headers.js';
import type { SeenRequest } from '../engines/strict-requests.js';
import { type Reading, type ReadMessage, readAnswers, readRequests } from './llhttp.js';

/** The bytes of one case, from the client to the backend. */
export interface Carried {
  /** The client's bytes as llhttp reads them. */
  readonly given: Reading;
  /** Complete requests that the backend received. */
  readonly seen: readonly SeenRequest[];
  /** All bytes that the backend received, connection by connection. */
  readonly recorded: readonly string[];
  /** Incomplete requests on connections that then ended. */
  readonly partials: readonly string[];
  /** Bytes that the backend could read in two ways. */
  readonly problems: readonly string[];
  /** The client's answers. */
  readonly answers: string;
}

/** How one case was handled in the end. */
export type Handling = 'passed on' | 'refused by both' | 'refused by the engine alone' | 'never whole';

export interface Judgement {
  readonly handling: Handling;
  /** Messages that arrived complete on the other side. */
  readonly passedOn: number;
  /** What is wrong; undefined: nothing. */
  readonly wrong: string | undefined;
}

/** Parts of a message that an engine may drop (see `shortfalls.ts`). */
export interface Allowances {
  /** It keeps only the first copy of a field that should come once. */
  readonly firstOnly: boolean;
}

/** Fields that are not forwarded unchanged: hop-by-hop, rewritten, or set by the proxy alone. */
const ours =
  /^(?:host|connection|keep-alive|proxy-connection|proxy-authorization|proxy-authenticate|te|transfer-encoding|content-length|upgrade|expect|http2-settings|forwarded|x-forwarded-.*|x-real-ip|via|holdfast-affinity|date|cookie|proxy-status|trailer)$/;
/** Fields of which Node keeps the first (`IncomingMessage.headers`). */
const singles =
  /^(?:age|authorization|content-type|etag|expires|from|if-modified-since|if-unmodified-since|last-modified|location|max-forwards|referer|retry-after|server|user-agent)$/;

type Fields = readonly (readonly [name: string, value: string])[];

/** Returns what is wrong; undefined: nothing. */
export function judgeRequests(carried: Carried, allowances: Allowances): string | undefined {
  const { given, seen, problems, partials } = carried;
  if (problems.length > 0) return `the backend can read it in two ways: ${problems[0]}`;
  for (const [nth, request] of seen.entries()) {
    const asked = given.messages[nth];
    if (asked === undefined) return `request ${nth + 1} was forwarded, and llhttp refuses it: ${given.error}`;
    const wrong = unlike(request, asked, allowances);
    if (wrong !== undefined) return `request ${nth + 1}: ${wrong}`;
  }
  return (
    recordedOtherwise(carried) ??
    begunOtherwise(partials, given.messages[seen.length] ?? given.partial) ??
    answeredOtherwise(carried)
  );
}

function unlike(seen: SeenRequest, asked: ReadMessage, allowances: Allowances): string | undefined {
  const to = destination(asked);
  if (seen.method !== asked.method) return `method ${seen.method}, not ${asked.method}`;
  if (seen.target !== to) return `target ${seen.target}, not ${to}`;
  if (seen.body !== asked.body) return `body ${JSON.stringify(seen.body)}, not ${JSON.stringify(asked.body)}`;
  const [got, want] = [endToEnd(seen.fields, allowances), endToEnd(asked.fields, allowances)];
  if (got !== want) return `fields ${got}, not ${want}`;
  const trailers = new Set(asked.trailers.map(line => line.join(': ')));
  const strange = seen.trailers.find(line => !trailers.has(line.join(': ')));
  return strange === undefined ? undefined : `a trailer that the client did not send: ${strange.join(': ')}`;
}

/** Computes the target of RFC 9112 §3.2.2 and §3.2.4. */
function destination({ target, method }: ReadMessage): string {
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/i.exec(target) ?? [];
  if (rest === undefined) return target;
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function endToEnd(fields: Fields, { firstOnly }: Allowances): string {
  const connection = fields.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value);
  const named = listConnectionFields(connection.length === 0 ? undefined : connection.join(', '));
  const values = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    if (ours.test(key) || named?.has(key) || key === '__proto__') continue;
    const known = values.get(key);
    if (known === undefined) values.set(key, [value]);
    else if (!(firstOnly && singles.test(key))) known.push(value);
  }
  return JSON.stringify([...values].sort().map(([name, all]) => `${name}: ${all.join(', ').trimEnd()}`));
}

export function classifyRequests({ given, seen }: Pick<Carried, 'given' | 'seen'>): Handling {
  if (seen.length < given.messages.length) return 'refused by the engine alone';
  if (given.error !== undefined) return 'refused by both';
  return seen.length === 0 || given.partial !== undefined ? 'never whole' : 'passed on';
}

/** Checks that the other parser reads the forwarded bytes the same way. */
function recordedOtherwise({ recorded, seen }: Carried): string | undefined {
  const read = recorded.flatMap(bytes => readRequests(bytes).messages);
  const [ours, theirs] = [seen, read].map(all => all.map(({ method, target, body }) => [method, target, body]));
  const [one, other] = [JSON.stringify(ours?.sort()), JSON.stringify(theirs?.sort())];
  return one === other ? undefined : `llhttp reads what was forwarded otherwise: ${other}, not ${one}`;
}

/** Checks that an incomplete request was forwarded only as far as the client sent it. */
function begunOtherwise(partials: readonly string[], asked: ReadMessage | undefined): string | undefined {
  for (const bytes of partials) {
    const { partial } = readRequests(bytes);
    if (partial === undefined) return `half a head was forwarded: ${JSON.stringify(bytes)}`;
    if (asked === undefined) return `a request was begun, and llhttp refuses its head: ${JSON.stringify(bytes)}`;
    const same = partial.method === asked.method && partial.target === destination(asked);
    if (!same || !asked.body.startsWith(partial.body)) return `another request was begun: ${JSON.stringify(bytes)}`;
  }
  return undefined;
}

/** Checks that each answer belongs to its own request; the recorder echoes the request line. */
function answeredOtherwise({ seen, answers }: Carried): string | undefined {
  const read = readAnswers(
    answers,
    seen.map(({ method }) => method),
    false,
  );
  const finals = read.messages.filter(({ status }) => status >= 200);
  for (const [nth, { status, body }] of finals.slice(0, seen.length).entries()) {
    const asked = seen[nth];
    if (status !== 200 || asked === undefined || asked.method === 'HEAD') continue;
    const own = `${asked.method} ${asked.target}`;
    if (body !== own) return `answer ${nth + 1} is ${JSON.stringify(body)}, not ${JSON.stringify(own)}`;
  }
  return undefined;
}

/** An answer as the client received it. */
export interface Returned {
  /** The backend's bytes as llhttp reads them; its connection ended, or the message is complete. */
  readonly given: Reading;
  readonly method: string;
  readonly got: string;
  /** The client's connection was closed in order. */
  readonly ended: boolean;
  /** The client's connection was reset, which shows that the answer is incomplete. */
  readonly broken: boolean;
}

export function judgeAnswer(
  { given, method, got, ended, broken }: Returned,
  allowances: Allowances,
): string | undefined {
  const read = readAnswers(got, [method], ended && !broken);
  const final = read.messages.find(({ status }) => status >= 200);
  const sent = given.messages.find(({ status }) => status >= 200) ?? given.partial;
  if (final === undefined) return cutOtherwise(read, sent, ended || broken);
  if (read.messages.at(-1) !== final || read.partial !== undefined)
    return `more than one answer: ${JSON.stringify(got)}`;
  if (isOwn(final)) return undefined;
  if (sent === undefined || !sent.whole)
    return `called whole, and llhttp refuses it (${given.error}): ${JSON.stringify(got)}`;
  if (final.status !== sent.status) return `status ${final.status}, not ${sent.status}`;
  if (final.body !== sent.body) return `body ${JSON.stringify(final.body)}, not ${JSON.stringify(sent.body)}`;
  const [has, had] = [endToEnd(final.fields, allowances), endToEnd(sent.fields, allowances)];
  return has === had ? undefined : `fields ${has}, not ${had}`;
}

export function classifyAnswer({ given, method, got, ended, broken }: Returned): Handling {
  const isFinal = ({ status }: ReadMessage) => status >= 200;
  const passedOn = readAnswers(got, [method], ended && !broken).messages.find(isFinal);
  if (passedOn !== undefined && !isOwn(passedOn)) return 'passed on';
  return given.messages.some(isFinal) ? 'refused by the engine alone' : 'refused by both';
}

function isOwn({ status, fields }: ReadMessage): boolean {
  return status === 502 && fields.some(([name]) => name === 'x-own');
}

/** Checks that the client can see the cut, and that its bytes are the beginning of the answer. */
function cutOtherwise(read: Reading, sent: ReadMessage | undefined, over: boolean): string | undefined {
  if (!over) return 'neither whole nor cut';
  const incomplete = read.error === undefined || /^HPE_INVALID_EOF_STATE$/.test(read.error);
  if (!incomplete) return `what the client got is malformed: ${read.error}`;
  const { partial } = read;
  if (partial === undefined || isOwn(partial)) return undefined;
  if (sent === undefined) return 'an answer was begun, and llhttp refuses its head';
  if (partial.status !== sent.status) return `begun with status ${partial.status}, not ${sent.status}`;
  return sent.body.startsWith(partial.body)
    ? undefined
    : `begun with ${JSON.stringify(partial.body)}, not ${JSON.stringify(sent.body)}`;
}
