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

interface Item {
  readonly text: string;
  /** The `cas` value of this content. Empty for `get`; only `gets` asks for it. */
  readonly cas: string;
}

/** The reply of memcached to one command. */
export interface MemcachedAnswer {
  /** The last line, such as `STORED`, `END` or `SERVER_ERROR out of memory storing object`. */
  readonly end: string;
  readonly items: ReadonlyMap<string, Item>;
  readonly statistics: ReadonlyMap<string, string>;
}

const lineBytesMax = 2_048;
/** Maximum size of an item. memcached allows 1 MB, unless it is configured otherwise. */
const itemBytesMax = 8 * 1024 * 1024;
const crlf = '\r\n';
const none = new Map<string, never>();

/**
 * Splits the bytes of a connection into replies (memcached's doc/protocol.txt). A reply has any number of items and
 * statistics, and one last line.
 *
 * Throws at anything else. Then it is unknown which reply belongs to which command, and the connection must be dropped.
 */
export class AnswerReader {
  #rest: Buffer = Buffer.alloc(0);
  #items = new Map<string, Item>();
  #statistics = new Map<string, string>();

  read(chunk: Buffer): MemcachedAnswer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const answers: MemcachedAnswer[] = [];
    let at = 0;
    for (let lineEnd = this.#lineEnd(at); lineEnd >= 0; lineEnd = this.#lineEnd(at)) {
      const line = this.#rest.toString('latin1', at, lineEnd);
      const after = lineEnd + crlf.length;
      const next = line.startsWith('VALUE ') ? this.#takeItem(line, after) : after;
      if (next === undefined) break;
      at = next;
      if (line.startsWith('STAT ')) this.#takeStatistic(line);
      else if (!line.startsWith('VALUE ')) answers.push(this.#finishAnswer(line));
    }
    this.#rest = this.#rest.subarray(at);
    return answers;
  }

  #lineEnd(from: number): number {
    const end = this.#rest.indexOf(crlf, from, 'latin1');
    if (end < 0 && this.#rest.length - from > lineBytesMax) throw new Error('a line of an answer has no end');
    return end;
  }

  /** Reads `VALUE <key> <flags> <bytes> [<cas>]` and the bytes. Returns the end of the item, or undefined while it is
   * incomplete. */
  #takeItem(line: string, from: number): number | undefined {
    const [, key = '', , length = '', cas = ''] = line.split(' ');
    const to = from + Number(length);
    if (!/^\d+$/.test(length) || to - from > itemBytesMax) throw new Error(`an item cannot have ${length} bytes`);
    if (this.#rest.length < to + crlf.length) return undefined;
    if (this.#rest.toString('latin1', to, to + crlf.length) !== crlf)
      throw new Error('an item is longer than was said');
    this.#items.set(key, { text: this.#rest.toString('utf8', from, to), cas });
    return to + crlf.length;
  }

  #takeStatistic(line: string): void {
    const [, name = '', value = ''] = line.split(' ');
    this.#statistics.set(name, value);
  }

  #finishAnswer(end: string): MemcachedAnswer {
    const [items, statistics] = [this.#items, this.#statistics];
    // Most replies have neither. A new map is made only after the last one was returned.
    if (items.size > 0) this.#items = new Map();
    if (statistics.size > 0) this.#statistics = new Map();
    return { end, items: items.size > 0 ? items : none, statistics: statistics.size > 0 ? statistics : none };
  }
}
