import { RecordingError } from './errors.js';
import { findOrigin, type HarExchange, type HarRecording, toPass } from './har.js';
import type { Passes } from './passes.js';
import { mentions, passNames, type Typed } from './recording.js';

/** Finds the three passes in HAR files: three files in order, or one file that is cut at the logins. Pure. */

/** Returns the passes. Throws `RecordingError` when a pass is missing. */
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
