import { parseJson } from '../../shared/text.js';
import { bodyOf } from '../../simulator/users/answer-check.js';
import type { AppReply } from '../../simulator/users/journey.js';
import type { Pass, RecordedExchange } from '../recording.js';

/** One exchange, taken apart: the values that the request sends, and the answer in the form that a journey reads. */
export interface RecordedCall {
  /** Position of the exchange in its pass. */
  readonly order: number;
  readonly method: string;
  readonly path: string;
  readonly segments: readonly string[];
  readonly parts: readonly Part[];
  /** The values of the parts, by their keys. */
  readonly values: ReadonlyMap<string, string>;
  readonly body: BodyKind;
  readonly json: unknown;
  /** The cookies that were sent, decoded. */
  readonly cookies: ReadonlyMap<string, string>;
  /** The browser sent an Origin header that names the app itself. */
  readonly hasOwnOrigin: boolean;
  readonly reply: AppReply;
}

type BodyKind = 'none' | 'form' | 'multipart' | 'json' | 'other';

/** One value of a request. `key` is its place, and is the same in every request of this kind. */
export interface Part {
  readonly at: 'path' | 'query' | 'form' | 'json' | 'header';
  readonly key: string;
  readonly name: string;
  readonly value: string;
}

/** The texts that were typed in a pass, and its calls in their order. `all` has also those that are no part of a
 * journey. */
export interface TypedCalls extends Pick<Pass, 'user' | 'item'> {
  readonly calls: readonly RecordedCall[];
  readonly all: readonly RecordedCall[];
}

/** Headers that every browser or proxy sets itself. They are no part of a journey. */
const browserHeaders =
  /^(accept(-.*)?|user-agent|host|connection|referer|origin|cookie|content-.*|sec-.*|cache-control|pragma|if-.*|upgrade.*|dnt|priority|te|trailer|via|forwarded|x-forwarded-.*|x-real-ip|range|keep-alive|proxy-.*|expect|transfer-encoding|purpose|save-data|:.*)$/;
/** Headers that connect the traces of several services. */
const tracing =
  /^(traceparent|tracestate|sentry-trace|baggage|newrelic|x-(request|correlation|trace|b3|datadog|newrelic)-?.*)$/;

export function takeApart(exchange: RecordedExchange, order: number): RecordedCall {
  const { body, json, parts: sent } = bodyParts(exchange);
  const parts = [...pathParts(exchange.path), ...sent, ...headerParts(exchange, body)];
  return {
    order,
    method: exchange.method.toUpperCase(),
    path: exchange.path,
    segments: splitPath(exchange.path).segments,
    parts,
    values: new Map(parts.map(({ key, value }) => [key, value])),
    body,
    json,
    cookies: new Map(headerValues(exchange, 'cookie').flatMap(line => line.split(/;\s*/).flatMap(cookiePair))),
    hasOwnOrigin: namesOwnOrigin(exchange),
    reply: {
      handedOver: true,
      complete: true,
      status: exchange.status,
      headers: groupHeaders(exchange.responseHeaders),
      body: exchange.responseBody,
    },
  };
}

function namesOwnOrigin(exchange: RecordedExchange): boolean {
  const [origin = ''] = headerValues(exchange, 'origin');
  const [host = ''] = headerValues(exchange, 'host');
  return (
    URL.canParse(origin) && URL.canParse(`http://${host}`) && new URL(origin).host === new URL(`http://${host}`).host
  );
}

function pathParts(path: string): Part[] {
  const { segments, fields } = splitPath(path);
  return [
    ...segments.map(
      (raw, i): Part => ({
        at: 'path',
        key: `path.${i}`,
        name: segments[i - 1] ?? '',
        value: decode(raw),
      }),
    ),
    ...numbered(
      fields
        .map(raw => raw.split(/=(.*)/s))
        .map(([name = '', value = '']) => [decode(name, true), decode(value, true)]),
      'query',
    ),
  ];
}

/** Splits a path into its raw segments and the raw fields of its query. */
export function splitPath(path: string): { readonly segments: string[]; readonly fields: string[] } {
  const [, plain = '', query = ''] = /^([^?#]*)\??([^#]*)/.exec(path) ?? [];
  return { segments: plain.split('/').slice(1), fields: query === '' ? [] : query.split('&') };
}

/** Names repeated fields `ids`, `ids#1` and so on. */
function numbered(fields: readonly (readonly string[])[], at: 'query' | 'form'): Part[] {
  const seen = new Map<string, number>();
  return fields.map(([name = '', value = '']) => {
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return { at, key: `${at}.${name}${count === 0 ? '' : `#${count}`}`, name, value };
  });
}

function bodyParts(exchange: RecordedExchange): Pick<RecordedCall, 'body' | 'json' | 'parts'> {
  const { requestBody: text } = exchange;
  const [type = ''] = headerValues(exchange, 'content-type');
  if (text === '') return { body: 'none', json: undefined, parts: [] };
  if (/json/i.test(type) || /^\s*[[{]/.test(text)) {
    const json = parseJson(text);
    if (json !== undefined) {
      const parts = leavesOf(json).map(
        ({ path, name, value }): Part => ({ at: 'json', key: path, name, value: String(value) }),
      );
      return { body: 'json', json, parts };
    }
  }
  if (/multipart\/form-data/i.test(type))
    return { body: 'multipart', json: undefined, parts: numbered(multipartFields(text, type), 'form') };
  if (/x-www-form-urlencoded/i.test(type))
    return { body: 'form', json: undefined, parts: numbered([...new URLSearchParams(text)], 'form') };
  return { body: 'other', json: undefined, parts: [] };
}

function multipartFields(text: string, type: string): [string, string][] {
  const boundary = /boundary="?([^";]+)/i.exec(type)?.[1];
  if (boundary === undefined) return [];
  return text.split(`--${boundary}`).flatMap((piece): [string, string][] => {
    const [, head = '', value = ''] = /^\r?\n(.*?)\r?\n\r?\n(.*?)\r?\n?$/s.exec(piece) ?? [];
    const name = /\bname="([^"]*)"/i.exec(head)?.[1];
    return name === undefined ? [] : [[name, value]];
  });
}

function headerParts(exchange: RecordedExchange, body: BodyKind): Part[] {
  const [accept = ''] = headerValues(exchange, 'accept');
  const [type = ''] = headerValues(exchange, 'content-type');
  return exchange.requestHeaders
    .filter(([name]) => {
      if (name === 'accept') return /^application\/[\w.+]*json/.test(accept);
      if (name === 'content-type') return body === 'json' && !/^application\/json\b/.test(type);
      return !browserHeaders.test(name) && !tracing.test(name);
    })
    .map(([name, value]): Part => ({ at: 'header', key: `header.${name}`, name, value }));
}

function headerValues({ requestHeaders }: RecordedExchange, wanted: string): string[] {
  return requestHeaders.filter(([name]) => name === wanted).map(([, value]) => value);
}

function groupHeaders(pairs: RecordedExchange['responseHeaders']): AppReply['headers'] {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of pairs) {
    if (name === 'set-cookie') headers[name] = [...[headers[name] ?? []].flat(), value];
    else headers[name] = value;
  }
  return headers;
}

function cookiePair(pair: string): [string, string][] {
  const at = pair.indexOf('=');
  return at < 1 ? [] : [[pair.slice(0, at).trim(), decode(pair.slice(at + 1))]];
}

/** Returns the cookies that an answer sets, decoded. `isGone`: it only deletes the cookie. */
export function cookiesSet(
  call: RecordedCall,
): { readonly name: string; readonly value: string; readonly isGone: boolean }[] {
  return [call.reply.headers['set-cookie'] ?? []].flat().flatMap(line => {
    const [pair = '', ...attributes] = line.split(';');
    const [found] = cookiePair(pair);
    if (found === undefined) return [];
    const ends = attributes.map(attribute => attribute.trim().toLowerCase());
    const isExpired = ends.some(end => /^max-age=(0|-\d+)$/.test(end) || /^expires=.*\b(19[67]\d|200\d)\b/.test(end));
    return [{ name: found[0], value: found[1], isGone: isExpired || found[1] === '' }];
  });
}

export function jsonOf({ reply }: RecordedCall): unknown {
  // Most answers are pages: to try them all as JSON would take longer than the rest.
  return /^\s*[[{]/.test(reply.body) ? bodyOf(reply).json : undefined;
}

/** Headers of answers that never hold a value for a later request. Cookies are kept by themselves. */
const describingHeaders =
  /^(set-cookie|date|age|etag|expires|last-modified|server|vary|allow|connection|keep-alive|transfer-encoding|cache-control|pragma|link|via|x-powered-by|content-.*|access-control-.*|x-ratelimit-.*|ratelimit-.*)$/;

/** Returns the headers of an answer that can hold a value for a later request, such as Location. */
export function tellingHeaders({ reply }: RecordedCall): (readonly [name: string, value: string])[] {
  return Object.entries(reply.headers).flatMap(([name, value]) =>
    typeof value !== 'string' || describingHeaders.test(name) || tracing.test(name) ? [] : [[name, value] as const],
  );
}

const leaves = new WeakMap<RecordedCall, readonly Leaf[]>();

/** Returns the values in the JSON of an answer. */
export function answerLeaves(call: RecordedCall): readonly Leaf[] {
  const known = leaves.get(call) ?? leavesOf(jsonOf(call));
  leaves.set(call, known);
  return known;
}

/** Returns the path of the redirect; undefined when the answer is none. */
export function redirectOf({ reply: { status = 0, headers } }: RecordedCall): string | undefined {
  const { location } = headers;
  if (status < 300 || status >= 400 || typeof location !== 'string' || !URL.canParse(location, 'http://app/'))
    return undefined;
  return new URL(location, 'http://app/').pathname;
}

export function isDone({ reply: { status = 0 } }: RecordedCall): boolean {
  return status >= 200 && status < 400;
}

/** Whether the request sends this text somewhere other than in a header. */
export function carries(call: RecordedCall, text: string): boolean {
  return call.parts.some(({ at, value }) => at !== 'header' && value.includes(text));
}

/** Whether a request with this method is meant to change nothing. */
export function isSafe({ method }: RecordedCall): boolean {
  return method === 'GET';
}

/** Returns the request as a person names it: `POST /cart`, with the name of its GraphQL operation. */
export function describeCall({ method, path, json }: RecordedCall): string {
  const of = (name: string) => (typeof json === 'object' && json !== null ? Reflect.get(json, name) : undefined);
  const [operation, query] = [of('operationName'), of('query')];
  const more =
    typeof operation === 'string'
      ? operation
      : typeof query === 'string'
        ? query.replaceAll(/\s+/g, ' ').slice(0, 60)
        : '';
  return `${method} ${path}${more === '' ? '' : ` (${more})`}`;
}

function decode(text: string, isField = false): string {
  try {
    return decodeURIComponent(isField ? text.replaceAll('+', ' ') : text);
  } catch {
    return text;
  }
}

/** A value in JSON that is neither a list nor a map, and the path that a scenario file would write for it. */
interface Leaf {
  readonly path: string;
  /** The key right above it; of a list the key of the list. */
  readonly name: string;
  readonly value: string | number | boolean | null;
}

/** Most values that are looked at in one body. */
const leavesMax = 20_000;

/** Lists the values of JSON in their order. Keys that a path cannot write are left out with all below them. */
export function leavesOf(json: unknown): Leaf[] {
  const found: Leaf[] = [];
  walk(json, '$', '');
  return found;

  function walk(value: unknown, path: string, name: string): void {
    if (found.length >= leavesMax || value === undefined) return;
    if (Array.isArray(value)) for (const [i, each] of value.entries()) walk(each, `${path}[${i}]`, name);
    else if (typeof value === 'object' && value !== null)
      for (const [key, each] of Object.entries(value)) {
        const step = stepTo(key);
        if (step !== undefined) walk(each, path + step, key);
      }
    else if (isScalar(value)) found.push({ path, name, value });
  }
}

/** Replaces the values of JSON. `replace` gets the path of each; undefined removes the value. */
export function mapLeaves(json: unknown, replace: (path: string, value: unknown) => unknown, path = '$'): unknown {
  if (Array.isArray(json))
    return json.map((each, i) => mapLeaves(each, replace, `${path}[${i}]`)).filter(each => each !== undefined);
  if (typeof json !== 'object' || json === null) return replace(path, json);
  const entries = Object.entries(json).map(([key, each]) => [
    key,
    mapLeaves(each, replace, path + (stepTo(key) ?? '.?')),
  ]);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

/** Returns the step of a path to this key; undefined when no path can write it. */
export function stepTo(key: string): string | undefined {
  if (/^[A-Za-z_$][\w$-]*$/.test(key)) return `.${key}`;
  return /^[^'\\]+$/.test(key) ? `['${key}']` : undefined;
}

function isScalar(value: unknown): value is Leaf['value'] {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
