/** What is sent, and which last lines of an answer belong to it; errors apart. */
export interface MemcachedQuestion {
  readonly text: string;
  readonly expects: RegExp;
}

const untilEnd = /^END$/;
const stored = /^(?:NOT_)?STORED$/;

/** At once gone for everybody: what `cas` writes with it is a removal that names what it removes. */
export const expiredAlready = -1;
export const never = 0;
/** Longer lives are taken for a date. */
const relativeSecondsMax = 30 * 24 * 3_600;

/**
 * What to tell the server so that it forgets nothing before `untilMs` of the caller's clock. One second more, because its
 * own clock ticks in seconds and may be most of one behind. The deadlines to the millisecond stand in the record.
 */
export function expiryAt(untilMs: number, nowMs: number): number {
  const seconds = Math.max(Math.ceil((untilMs - nowMs) / 1_000), 0) + 1;
  return seconds <= relativeSecondsMax ? seconds : Math.ceil(untilMs / 1_000) + 1;
}

export function get(...keys: readonly string[]): MemcachedQuestion {
  return { text: `get ${keys.join(' ')}\r\n`, expects: untilEnd };
}

/** As `get`, with the `cas` of each item. */
export function gets(...keys: readonly string[]): MemcachedQuestion {
  return { text: `gets ${keys.join(' ')}\r\n`, expects: untilEnd };
}

/** Only where nothing is. */
export function add(key: string, text: string, expiry: number = never): MemcachedQuestion {
  return store('add', key, text, String(expiry), stored);
}

/** Only over the content that `cas` names. */
export function swap(key: string, text: string, expiry: number, cas: string): MemcachedQuestion {
  return store('cas', key, text, String(expiry), /^(?:STORED|EXISTS|NOT_FOUND)$/, ` ${cas}`);
}

/** Only where something is; its expiry stays. */
export function append(key: string, text: string): MemcachedQuestion {
  return store('append', key, text, '0', stored);
}

/** Whatever was there. Nothing that belongs to one session is ever written by it. */
export function put(key: string, text: string): MemcachedQuestion {
  return store('set', key, text, String(never), stored);
}

export function extend(key: string, expiry: number): MemcachedQuestion {
  return { text: `touch ${key} ${expiry}\r\n`, expects: /^(?:TOUCHED|NOT_FOUND)$/ };
}

export function forget(key: string): MemcachedQuestion {
  return { text: `delete ${key}\r\n`, expects: /^(?:DELETED|NOT_FOUND)$/ };
}

export const version: MemcachedQuestion = { text: 'version\r\n', expects: /^VERSION / };
export const stats: MemcachedQuestion = { text: 'stats\r\n', expects: untilEnd };

function store(how: string, key: string, text: string, expiry: string, expects: RegExp, cas = ''): MemcachedQuestion {
  return { text: `${how} ${key} 0 ${expiry} ${Buffer.byteLength(text)}${cas}\r\n${text}\r\n`, expects };
}
