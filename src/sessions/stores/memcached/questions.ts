/** The text of a command, and the last lines that its reply may have, apart from errors. */
export interface MemcachedCommand {
  readonly text: string;
  readonly expects: RegExp;
}

const untilEnd = /^END$/;
const stored = /^(?:NOT_)?STORED$/;

/** An expiry in the past: the item is gone at once. With `cas`, this is a removal of one version. */
export const expiredAlready = -1;
export const never = 0;
/** memcached reads longer durations as a date. */
const relativeSecondsMax = 30 * 24 * 3_600;

/** Returns an expiry that keeps the item until `untilMs` by the caller's clock. It adds one second, because the
 * server's clock ticks in seconds and may be almost one behind. The record itself has the deadlines in milliseconds. */
export function expiryAt(untilMs: number, nowMs: number): number {
  const seconds = Math.max(Math.ceil((untilMs - nowMs) / 1_000), 0) + 1;
  return seconds <= relativeSecondsMax ? seconds : Math.ceil(untilMs / 1_000) + 1;
}

export function get(...keys: readonly string[]): MemcachedCommand {
  return { text: `get ${keys.join(' ')}\r\n`, expects: untilEnd };
}

/** Like `get`, and returns the `cas` of each item. */
export function gets(...keys: readonly string[]): MemcachedCommand {
  return { text: `gets ${keys.join(' ')}\r\n`, expects: untilEnd };
}

/** Writes only if there is no item. */
export function add(key: string, text: string, expiry: number = never): MemcachedCommand {
  return store('add', key, text, String(expiry), stored);
}

/** Writes only over the content that `cas` names. */
export function swap(key: string, text: string, expiry: number, cas: string): MemcachedCommand {
  return store('cas', key, text, String(expiry), /^(?:STORED|EXISTS|NOT_FOUND)$/, ` ${cas}`);
}

/** Appends only if there is an item. Its expiry stays. */
export function append(key: string, text: string): MemcachedCommand {
  return store('append', key, text, '0', stored);
}

/** Writes always. It is never used for an item of one session. */
export function put(key: string, text: string): MemcachedCommand {
  return store('set', key, text, String(never), stored);
}

export function extend(key: string, expiry: number): MemcachedCommand {
  return { text: `touch ${key} ${expiry}\r\n`, expects: /^(?:TOUCHED|NOT_FOUND)$/ };
}

export function forget(key: string): MemcachedCommand {
  return { text: `delete ${key}\r\n`, expects: /^(?:DELETED|NOT_FOUND)$/ };
}

export const version: MemcachedCommand = { text: 'version\r\n', expects: /^VERSION / };
export const stats: MemcachedCommand = { text: 'stats\r\n', expects: untilEnd };

function store(how: string, key: string, text: string, expiry: string, expects: RegExp, cas = ''): MemcachedCommand {
  return { text: `${how} ${key} 0 ${expiry} ${Buffer.byteLength(text)}${cas}\r\n${text}\r\n`, expects };
}
