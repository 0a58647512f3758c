import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { parseJson } from '../shared/parse-json.js';
import { findHeader, readText } from './bodies.js';
import { RecordingError } from './errors.js';
import { bodyCharactersMax, harBytesMax, harEntriesMax } from './limits.js';
import { type HeaderPairs, toOwnPath } from './origins.js';
import type { Pass, Passes, RecordedExchange } from './passes.js';
import { mentions, passNames } from './recording.js';

/** Reads and writes HAR 1.2, the format in which browsers and Playwright save what they sent and got. */

const named = z.object({ name: z.string(), value: z.string() });
const pairs = z.array(named).max(1_000).default([]);

const entry = z.object({
  startedDateTime: z.string(),
  pageref: z.string().optional(),
  request: z.object({
    method: z.string(),
    url: z.string(),
    headers: pairs,
    cookies: pairs,
    postData: z
      .object({
        mimeType: z.string().default(''),
        text: z.string().optional(),
        params: z.array(z.object({ name: z.string(), value: z.string().optional() })).optional(),
      })
      .optional(),
  }),
  response: z.object({
    status: z.number(),
    headers: pairs,
    cookies: pairs,
    content: z.object({
      size: z.number().default(0),
      mimeType: z.string().default(''),
      text: z.string().optional(),
      encoding: z.string().optional(),
    }),
  }),
});

const harFile = z.object({
  log: z.object({
    pages: z.array(z.object({ id: z.string(), _user: z.string().optional(), _item: z.string().optional() })).optional(),
    entries: z.array(entry).max(harEntriesMax),
  }),
});

type Entry = z.output<typeof entry>;
export type Har = z.output<typeof harFile>;

/** An exchange of a HAR file and the origin of its address. */
export interface HarExchange extends RecordedExchange {
  readonly origin: string;
  /** The page of the file. In a file of Holdfast it is the name of the pass. */
  readonly page: string | undefined;
}

export interface HarRecording {
  readonly file: string;
  readonly exchanges: readonly HarExchange[];
  /** The texts that were typed in the passes, if Holdfast wrote the file. */
  readonly typed: readonly { readonly user: string; readonly item: string }[];
}

/** Reads a HAR file. Rejects with `RecordingError` when it is none, is too large, or lacks cookies or bodies. */
export async function readHar(file: string): Promise<HarRecording> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || found.isDirectory())
    throw new RecordingError(`"${file}" cannot be read: expected a HAR file of a browser.`);
  const { size } = found;
  if (size > harBytesMax)
    throw new RecordingError(`"${file}" has ${size} bytes, expected at most ${harBytesMax}. Record only the passes.`);
  return parseHar(await readFile(file, 'utf8'), file);
}

/** Parses the text of a HAR file. Throws `RecordingError` as `readHar` does. */
export function parseHar(text: string, file: string): HarRecording {
  const { log } = validate(text, file);
  const problem = findLack(log.entries, file);
  if (problem !== undefined) throw new RecordingError(problem);
  const sorted = log.entries
    .filter(({ request, response }) => /^https?:/.test(request.url) && response.status > 0)
    .map(each => ({ each, atMs: Date.parse(each.startedDateTime) || 0 }))
    .sort((one, other) => one.atMs - other.atMs);
  const [first] = sorted;
  const exchanges = sorted.map(({ each, atMs }) => toExchange(each, atMs - (first?.atMs ?? 0)));
  const typed = (log.pages ?? []).flatMap(({ _user: user, _item: item }) =>
    user === undefined || item === undefined ? [] : [{ user, item }],
  );
  return { file, exchanges, typed };
}

function validate(text: string, file: string): Har {
  const json = parseJson(text.replace(/^\uFEFF/, ''));
  if (json === undefined) throw new RecordingError(`"${file}" is not JSON, expected a HAR file of a browser.`);
  const read = harFile.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new RecordingError(
    `"${file}" is not a HAR file: at ${issue?.path.join('.') || 'the top'}: ${issue?.message}. Export it from the network panel of a browser.`,
  );
}

/** Returns what a file lacks that no inference can replace, and how to export it with that. */
function findLack(entries: readonly Entry[], file: string): string | undefined {
  if (entries.length === 0) return `"${file}" has no requests. Open the network panel first, then click.`;
  const has = (list: Entry['request']['headers'], ...names: string[]) =>
    list.some(({ name }) => names.includes(name.toLowerCase()));
  const isSecretKept = entries.some(
    ({ request, response }) =>
      request.cookies.length > 0 ||
      response.cookies.length > 0 ||
      has(request.headers, 'cookie', 'authorization') ||
      has(response.headers, 'set-cookie'),
  );
  if (!isSecretKept)
    return (
      `"${file}" has no cookies and no Authorization headers, so it shows no session. Chrome leaves them out by default: ` +
      'turn on "Allow to generate HAR with sensitive data" in the settings of DevTools, then choose "Export HAR (with sensitive data)".'
    );
  const isBodyKept = entries.some(({ response }) => (response.content.text ?? '') !== '');
  if (isBodyKept || entries.every(({ response }) => response.content.size <= 0)) return undefined;
  return (
    `"${file}" has no bodies of answers. In Chrome and Firefox export it while the network panel still shows the requests; ` +
    "in Playwright write recordHar: { path, content: 'embed', mode: 'full' }."
  );
}

function toExchange({ request, response, pageref }: Entry, startedMs: number): HarExchange {
  const { origin } = new URL(request.url);
  const requestHeaders = toPairs(request.headers, request.url);
  const responseHeaders = toPairs(response.headers).map(
    ([name, value]) => [name, name === 'location' ? toOwnPath(value, [origin]) : value] as const,
  );
  const responseBody = bodyOf(response.content);
  return {
    startedMs,
    method: request.method.toUpperCase(),
    path: request.url
      .slice(origin.length)
      .replace(/#.*$/, '')
      .replace(/^(?!\/)/, '/'),
    requestHeaders: withCookies(requestHeaders, request.cookies),
    requestBody: limit(sentText(request.postData)),
    // A browser that got "not modified" shows the body from its cache.
    status: response.status === 304 && responseBody !== '' ? 200 : response.status,
    responseHeaders: withSetCookies(responseHeaders, response.cookies),
    responseBody,
    origin,
    page: pageref,
  };
}

/** Returns the headers with names in lower case. HTTP/2 writes method and path as headers that begin with a colon. */
function toPairs(headers: readonly z.output<typeof named>[], url?: string): HeaderPairs {
  const plain = headers.flatMap(({ name, value }): HeaderPairs => {
    const lower = name.toLowerCase();
    if (lower.startsWith(':')) return [];
    // Chrome joins several cookies with a line end.
    return lower === 'set-cookie' ? value.split('\n').map(line => [lower, line] as const) : [[lower, value]];
  });
  const hasHost = url === undefined || plain.some(([name]) => name === 'host');
  return hasHost ? plain : [['host', new URL(url).host], ...plain];
}

function withCookies(headers: HeaderPairs, cookies: readonly z.output<typeof named>[]): HeaderPairs {
  if (cookies.length === 0 || headers.some(([name]) => name === 'cookie')) return headers;
  return [...headers, ['cookie', cookies.map(({ name, value }) => `${name}=${value}`).join('; ')]];
}

function withSetCookies(headers: HeaderPairs, cookies: readonly z.output<typeof named>[]): HeaderPairs {
  if (headers.some(([name]) => name === 'set-cookie')) return headers;
  return [...headers, ...cookies.map(({ name, value }) => ['set-cookie', `${name}=${value}; Path=/`] as const)];
}

function sentText(sent: Entry['request']['postData']): string {
  if (sent === undefined) return '';
  if (sent.text !== undefined && sent.text !== '') return sent.text;
  const isForm = sent.mimeType === '' || sent.mimeType.startsWith('application/x-www-form-urlencoded');
  if (!isForm) return '';
  const fields = (sent.params ?? []).map(({ name, value = '' }): [string, string] => [name, value]);
  return new URLSearchParams(fields).toString();
}

function bodyOf({ text = '', encoding, mimeType }: Entry['response']['content']): string {
  if (encoding !== 'base64') return limit(text);
  return readText(Buffer.from(text, 'base64'), [['content-type', mimeType]]) ?? '';
}

function limit(text: string): string {
  return text.length > bodyCharactersMax ? '' : text;
}

/** Writes the passes as one HAR file. `readHar` and `splitPasses` read the same passes from it. `origin`: of the app. */
export function writeHar(passes: Passes, origin: string): string {
  const parts = [passes.first, passes.second, { user: undefined, item: undefined, exchanges: passes.anonymous }];
  const pages = parts.map(({ user, item }, index) => {
    const id = passNames[index] ?? '';
    const startedDateTime = new Date(index * passGapMs).toISOString();
    return { id, startedDateTime, title: `pass ${id}`, pageTimings: {}, _user: user, _item: item };
  });
  const entries = parts.flatMap(({ exchanges }, index) =>
    exchanges.map(each => toEntry(each, origin, passNames[index] ?? '', index * passGapMs)),
  );
  const log = { version: '1.2', creator: { name: 'holdfast', version: '' }, pages, entries };
  return `${JSON.stringify({ log }, undefined, 1)}\n`;
}

/** Only the order of the passes counts, so they are written as if each had begun a day after the one before. */
const passGapMs = 24 * 60 * 60 * 1_000;

function toEntry(exchange: RecordedExchange, origin: string, pageref: string, beganMs: number): object {
  const { startedMs, method, path, requestHeaders, requestBody, status, responseHeaders, responseBody } = exchange;
  const toNamed = (headers: HeaderPairs) => headers.map(([name, value]) => ({ name, value }));
  const typeOf = (headers: HeaderPairs) => findHeader(headers, 'content-type') ?? '';
  const sizes = { headersSize: -1, bodySize: -1 };
  return {
    pageref,
    startedDateTime: new Date(beganMs + startedMs).toISOString(),
    time: 0,
    request: {
      ...{ method, url: origin + path, httpVersion: 'HTTP/1.1', cookies: [], queryString: [], ...sizes },
      headers: toNamed(requestHeaders),
      ...(requestBody === '' ? {} : { postData: { mimeType: typeOf(requestHeaders), text: requestBody } }),
    },
    response: {
      ...{ status, statusText: '', httpVersion: 'HTTP/1.1', cookies: [], redirectURL: '', ...sizes },
      headers: toNamed(responseHeaders),
      content: { size: responseBody.length, mimeType: typeOf(responseHeaders), text: responseBody },
    },
    cache: {},
    timings: { send: 0, wait: 0, receive: 0 },
  };
}

/** Returns the origin of the app: that of the first request that has the name of a user. */
export function findOrigin(exchanges: readonly HarExchange[], users: readonly string[]): string | undefined {
  const isLogin = ({ path, requestBody }: HarExchange) =>
    users.some(user => mentions(path, user) || mentions(requestBody, user));
  return exchanges.find(isLogin)?.origin;
}

/** Returns a pass. Its times begin at zero. */
export function toPass(user: string, item: string, exchanges: readonly HarExchange[]): Pass {
  const beganMs = exchanges[0]?.startedMs ?? 0;
  const plain = exchanges.map(({ origin: _origin, page: _page, ...each }) => ({
    ...each,
    startedMs: each.startedMs - beganMs,
  }));
  return { user, item, exchanges: plain };
}
