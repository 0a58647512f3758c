import { escapeForPattern } from '../shared/text.js';

/**
 * Maps the address of the app to the address that the browser of a pass uses, and back. The app gets the Host that it
 * gets in a check and a run. The browser sees one host name for each pass, so that each pass has its own cookies and
 * storage: cookies ignore ports. Pure.
 */
export interface Origins {
  /** The address of the app, such as `http://127.0.0.1:23456`. */
  readonly app: string;
  /** The host and port that the browser uses, such as `pass-1-4821.localhost:7700`. */
  readonly browserHost: string;
}

export type HeaderPairs = readonly (readonly [string, string])[];

/** Headers for one connection only. A proxy does not pass them on. */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'expect'],
]);
/** With these the app could answer "not modified" without a body. */
const conditional = new Set(['if-none-match', 'if-modified-since', 'if-range']);
const decodable = /^(?:gzip|br|deflate)\b/;

/** Returns the headers that the app gets, with names in lower case. */
export function toAppHeaders(raw: HeaderPairs, origins: Origins): HeaderPairs {
  const named = raw.map(([name, value]) => [name.toLowerCase(), value] as const);
  const kept = named.filter(([name]) => !hopByHop.has(name) && !conditional.has(name));
  return kept.map(([name, value]) => {
    if (name === 'host') return [name, new URL(origins.app).host];
    if (name === 'origin' || name === 'referer') return [name, toAppText(value, origins)];
    if (name === 'accept-encoding') return [name, keepDecodable(value)];
    return [name, value];
  });
}

function toAppText(value: string, { app, browserHost }: Origins): string {
  const browser = `http://${browserHost}`;
  return value === browser || value.startsWith(`${browser}/`) ? app + value.slice(browser.length) : value;
}

function keepDecodable(value: string): string {
  const kept = value.split(',').map(each => each.trim());
  return kept.filter(each => decodable.test(each)).join(', ') || 'identity';
}

/** Returns the headers that the browser gets. A cookie loses its Domain, which names the host of the app. */
export function toBrowserHeaders(raw: HeaderPairs, origins: Origins): HeaderPairs {
  const toBrowser = makeToBrowser(origins);
  return raw.flatMap(([written, value]): HeaderPairs => {
    const name = written.toLowerCase();
    if (hopByHop.has(name) || name === 'strict-transport-security') return [];
    if (name === 'set-cookie') return [[written, value.replace(/;\s*domain=[^;]*/gi, '')]];
    if (name === 'content-security-policy')
      return [[written, toBrowser(value).replace(/(^|;)\s*upgrade-insecure-requests\s*(?=;|$)/gi, '$1')]];
    // Otherwise the browser could show a page without asking, and the pass would lack it.
    if (name === 'cache-control' || name === 'expires' || name === 'etag' || name === 'last-modified') return [];
    return [[written, toBrowser(value)]];
  });
}

/** Returns the headers as they are recorded: names in lower case, and a redirect within the app as a path. */
export function toRecordedHeaders(raw: HeaderPairs, origins: readonly string[]): HeaderPairs {
  return raw.map(([written, value]) => {
    const name = written.toLowerCase();
    return [name, name === 'location' ? toOwnPath(value, origins) : value];
  });
}

/** Returns the path of an address in one of the origins. Any other address stays as it is. */
export function toOwnPath(address: string, origins: readonly string[]): string {
  const own = origins.find(origin => address.startsWith(origin) && /^(?:$|[/?#])/.test(address.slice(origin.length)));
  return own === undefined ? address : address.slice(own.length).replace(/^(?!\/)/, '/');
}

/** Returns a function that replaces each address of the app in a text by that of the browser, also in escaped JSON. */
export function makeToBrowser({ app, browserHost }: Origins): (text: string) => string {
  const { hostname, port } = new URL(app);
  const names = [...new Set([hostname, '127.0.0.1', 'localhost', '[::1]'])].map(escapeForPattern).join('|');
  const place = port === '' ? '(?::80)?(?![:\\w.-])' : `:${port}(?!\\d)`;
  const pattern = new RegExp(`\\b(http|ws)s?:((?:\\\\?/){2})(?:${names})${place}`, 'gi');
  return text =>
    text.replace(pattern, (_whole, scheme: string, slashes: string) => `${scheme}:${slashes}${browserHost}`);
}
