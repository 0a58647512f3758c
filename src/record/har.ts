import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { parseJson } from '../shared/text.js';
import { findHeader, type HeaderPairs, readText, toOwnPath } from './http-messages.js';
import {
  bodyCharactersMax,
  harBytesMax,
  harEntriesMax,
  mentions,
  type Pass,
  type Passes,
  passNames,
  type RecordedExchange,
  RecordingError,
  type Typed,
} from './recording.js';

/**
 * Reads and writes HAR 1.2, the format in which browsers and Playwright save what they sent and got. Finds the three
 * passes in it: three files in order, or one file that is cut at the logins.
 */

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
type Har = z.output<typeof harFile>;

/** An exchange of a HAR file and the origin of its address. */
interface HarExchange extends RecordedExchange {
  readonly origin: string;
  /** The page of the file. In a file of Holdfast it is the name of the pass. */
  readonly page: string | undefined;
}

interface HarRecording {
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

/** Finds the passes in one file or in three. Throws `RecordingError` when a pass is missing. Pure. */
export function splitPasses(recordings: readonly HarRecording[], typed: readonly [Typed, Typed]): Passes {
  const [one, two, three] = recordings;
  if (one === undefined || recordings.length === 2 || recordings.length > 3)
    throw new RecordingError(
      `--har: found ${recordings.length} files, expected one with all three passes, or three in order.`,
    );
  const [first, second] = typed;
  if (two !== undefined && three !== undefined) return joinPasses([one, two, three], typed);
  const names = one.typed.length === 2 ? one.typed : typed;
  const own = ofApp(one, names);
  const parts = one.typed.length === 2 ? byPage(own) : cutAtLogins(own, typed, one.file);
  return {
    first: toPass(names[0]?.user ?? first.user, names[0]?.item ?? first.item, parts[0]),
    second: toPass(names[1]?.user ?? second.user, names[1]?.item ?? second.item, parts[1]),
    anonymous: toPass('', '', parts[2]).exchanges,
  };
}

type Parts = readonly [readonly HarExchange[], readonly HarExchange[], readonly HarExchange[]];

function joinPasses(
  [one, two, three]: readonly [HarRecording, HarRecording, HarRecording],
  typed: readonly [Typed, Typed],
): Passes {
  const [first, second] = typed;
  const origin = findOrigin(one.exchanges, [first.user]);
  const visited = three.exchanges.filter(each => each.origin === origin);
  if (visited.length === 0)
    throw new RecordingError(`"${three.file}" has no request to ${origin}, expected the pass without a login.`);
  return {
    first: toPass(first.user, first.item, ofApp(one, [first])),
    second: toPass(second.user, second.item, ofApp(two, [second])),
    anonymous: toPass('', '', visited).exchanges,
  };
}

/** Returns a pass. Its times begin at zero. */
function toPass(user: string, item: string, exchanges: readonly HarExchange[]): Pass {
  const beganMs = exchanges[0]?.startedMs ?? 0;
  const plain = exchanges.map(({ origin: _origin, page: _page, ...each }) => ({
    ...each,
    startedMs: each.startedMs - beganMs,
  }));
  return { user, item, exchanges: plain };
}

/** Returns the exchanges with the app. A browser also talks to other servers, such as those of fonts and analytics. */
function ofApp({ exchanges, file }: HarRecording, typed: readonly Typed[]): readonly HarExchange[] {
  const users = typed.map(({ user }) => user);
  const origin = findOrigin(exchanges, users);
  if (origin === undefined)
    throw new RecordingError(
      `"${file}" has no request with ${users.join(' or ')}: log in under this name, or say with --users which names were typed.`,
    );
  return exchanges.filter(each => each.origin === origin);
}

/** Returns the origin of the app: that of the first request that has the name of a user. */
function findOrigin(exchanges: readonly HarExchange[], users: readonly string[]): string | undefined {
  const isLogin = ({ path, requestBody }: HarExchange) =>
    users.some(user => mentions(path, user) || mentions(requestBody, user));
  return exchanges.find(isLogin)?.origin;
}

function byPage(exchanges: readonly HarExchange[]): Parts {
  const of = (wanted: string) => exchanges.filter(({ page }) => page === wanted);
  return [of(passNames[0]), of(passNames[1]), of(passNames[2])];
}

function cutAtLogins(exchanges: readonly HarExchange[], [first, second]: readonly [Typed, Typed], file: string): Parts {
  const login = exchanges.findIndex(each => isSent(each, second.user));
  if (login === -1)
    throw new RecordingError(
      `"${file}" has no request with ${second.user}, expected all three passes in one file, or three files in order.`,
    );
  const cut = findFresh(exchanges, findEnd(exchanges.slice(0, login), first, true) + 1, login);
  const rest = exchanges.slice(cut);
  // A page of GraphQL reads by POST, too: then only what shows the user, or a logout, is the end.
  const isChangeLast = findEnd(rest, second, true) === rest.length - 1;
  const end = findFresh(exchanges, cut + findEnd(rest, second, !isChangeLast) + 1, exchanges.length - 1);
  if (end >= exchanges.length)
    throw new RecordingError(
      `"${file}" ends with the pass of ${second.user}: after its logout, open the page of the items once more without a login.`,
    );
  return [exchanges.slice(0, cut), exchanges.slice(cut, end), exchanges.slice(end)];
}

/** Returns the index of the last exchange of a pass: what changes something, shows its user or item, or logs out. */
function findEnd(exchanges: readonly HarExchange[], { user, item }: Typed, isChangeCounted: boolean): number {
  return exchanges.findLastIndex(each => {
    const all = [each.path, each.requestBody, each.responseBody].join('\n');
    const isChange = isChangeCounted && !['GET', 'HEAD', 'OPTIONS'].includes(each.method);
    return isChange || mentions(all, user) || mentions(all, item) || endsSession(each);
  });
}

/**
 * Returns the index of the first exchange from `start` on without cookies, where a fresh browser began. The page after a
 * logout still has some. Returns `start` when there is none up to `last`.
 */
function findFresh(exchanges: readonly HarExchange[], start: number, last: number): number {
  const fresh = exchanges.findIndex(
    ({ requestHeaders }, index) =>
      index >= start && index <= last && !requestHeaders.some(([name]) => name === 'cookie'),
  );
  return fresh === -1 ? start : fresh;
}

function endsSession({ path, requestBody, responseHeaders }: HarExchange): boolean {
  if (/(?:log|sign)-?_?(?:out|off)/i.test(`${path}\n${requestBody}`)) return true;
  return responseHeaders.some(
    ([name, value]) => name === 'set-cookie' && /;\s*(?:max-age=(?:0|-\d+)\b|expires=[^;]*\b1970\b)/i.test(value),
  );
}

function isSent({ path, requestBody }: HarExchange, text: string): boolean {
  return mentions(path, text) || mentions(requestBody, text);
}
