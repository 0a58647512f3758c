import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { seal, unseal } from '#src/sessions/seal.js';
import { handleOfId } from '#src/sessions/session.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Defect, Listener } from './defect.js';
import { storeWith } from './stores.js';

const cookie = /(?<=(?:^|;\s*)(?:__Host-)?session=)[^;]+/;

/** The names that browsers have for tokens. The backends share them in a file beside the accounts. */
class Aliases {
  readonly #file: string;
  readonly #known = new Map<string, string>();
  #bytesRead = 0;

  constructor(name: string) {
    this.#file = path.resolve(process.env.SHOP_ACCOUNTS ?? '.', '..', name);
  }

  set(alias: string, token: string): void {
    this.#known.set(alias, token);
    appendFileSync(this.#file, `${alias} ${token}\n`, { mode: 0o600 });
  }

  get(alias: string): string | undefined {
    if (!this.#known.has(alias)) this.#readOthers();
    return this.#known.get(alias);
  }

  /** Returns the newest name that fits. */
  find(fits: (alias: string) => boolean): string | undefined {
    this.#readOthers();
    return [...this.#known.keys()].findLast(fits);
  }

  /** Reads what the other backends have added. */
  #readOthers(): void {
    const bytes = existsSync(this.#file) ? readFileSync(this.#file) : Buffer.alloc(0);
    for (const line of bytes.subarray(this.#bytesRead).toString().split('\n')) {
      const [alias = '', token] = line.split(' ');
      if (token !== undefined && !this.#known.has(alias)) this.#known.set(alias, token);
    }
    this.#bytesRead = bytes.length;
  }
}

/** Gives browsers other names for their sessions than the shop has. `aliasOf` makes the name from the token and from the
 * cookie that the browser sent; `tokenOf` finds the token for what a browser sends. */
function withAliases(
  next: Listener,
  aliases: Aliases,
  aliasOf: (token: string, given: string | undefined) => string,
  tokenOf = (alias: string) => aliases.get(alias),
): Listener {
  return (request, response) => {
    const given = cookie.exec(request.headers.cookie ?? '')?.[0];
    restoreTokens(request, tokenOf);
    replaceTokens(response, token => {
      const alias = aliasOf(token, given);
      aliases.set(alias, token);
      return alias;
    });
    next(request, response);
  };
}

function restoreTokens({ headers }: IncomingMessage, tokenOf: (alias: string) => string | undefined): void {
  if (headers.cookie !== undefined) headers.cookie = headers.cookie.replace(cookie, alias => tokenOf(alias) ?? alias);
}

/** Replaces the token in the cookie. The sessions append their cookie with this call only. */
function replaceTokens(response: ServerResponse, aliasOf: (token: string) => string): void {
  const append = response.appendHeader.bind(response);
  response.appendHeader = (name, value) =>
    append(name, name === 'set-cookie' && typeof value === 'string' ? value.replace(cookie, aliasOf) : value);
}

const prefixBytes = 24;

export const countingIds: Defect = {
  summary: 'session ids are a counter behind a prefix that is chosen once',
  listener: (next, keys) => {
    const prefix = randomBytes(prefixBytes);
    let count = 0n;
    const nextId = () => {
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(count++);
      return Buffer.concat([prefix, number]).toString('base64url');
    };
    return withAliases(next, new Aliases('counted-ids'), token => replaceIds(token, nextId, keys()));
  },
};

/** Replaces the ids in a token of any kind: a sealed one, a signed one with a refresh token, or an id alone. */
function replaceIds(token: string, nextId: () => string, keys: KeyRing): string {
  const opened = unseal(keys, sealPurpose, token);
  if (typeof opened !== 'string') {
    const [, ...others]: readonly unknown[] = JSON.parse(opened.text);
    return seal(keys, sealPurpose, JSON.stringify([nextId(), ...others]));
  }
  const [header, claims, signature] = token.split('~')[0]?.split('.') ?? [];
  if (claims === undefined) return nextId();
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), sid: nextId() };
  return `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}~${nextId()}`;
}

/** The purpose for which the strategy `sealed` derives its key over plain HTTP. */
const sealPurpose = 'session';

export const timedIds: Defect = {
  summary: 'a session id is the time of its login in milliseconds',
  listener: next => {
    let lastMs = 0;
    return withAliases(next, new Aliases('timed-ids'), () => {
      lastMs = Math.max(lastMs + 1, Date.now());
      // The last bytes stay zero, as in a column that is wider than the time.
      const id = Buffer.alloc(12);
      id.writeBigUInt64BE(BigInt(lastMs));
      return id.toString('base64url');
    });
  },
};

export const looseTokens: Defect = {
  summary: 'a session is found by a part of its token, by its handle, and with text around its token',
  listener: next => {
    const aliases = new Aliases('issued-tokens');
    const find = (given: string) => aliases.get(given) ?? aliases.find(token => isAlike(token, given));
    return withAliases(next, aliases, token => token, find);
  },
};

const charsMin = 4;

/** Imitates a look-up with LIKE, a regular expression without anchors, and a parser that ignores what it does not know. */
function isAlike(token: string, given: string): boolean {
  if (given.length < charsMin) return false;
  const rest = token.slice(token.lastIndexOf('.'));
  const sharesPart = token.split('~').some(part => given.split('~').includes(part));
  return (
    token.startsWith(given) ||
    given.includes(token) ||
    decodePercent(given).includes(token) ||
    (rest.length > charsMin && rest.startsWith('.') && given.endsWith(rest)) ||
    sharesPart ||
    given === handleOfId(token)
  );
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const charsKept = 32;
/** Behind them an id names its user. */
const randomChars = 43;

/** Imitates a database column that is too short and truncates its values. */
const shorten = (id: string) =>
  `${id.slice(0, charsKept)}${'A'.repeat(randomChars - charsKept)}${id.slice(randomChars)}`;

export const shortIds: Defect = {
  summary: `the store uses only the first ${charsKept} characters of an id`,
  sessions: {
    decorateStore: store =>
      storeWith(store, {
        read: id => store.read(shorten(id)),
        create: (id, record) => store.create(shorten(id), record),
        replace: (id, record) => store.replace(shorten(id), record),
        touch: (id, idleUntilMs) => store.touch(shorten(id), idleUntilMs),
        remove: (id, onlyVersion) => store.remove(shorten(id), onlyVersion),
      }),
  },
};

export const keepIdAtLogin: Defect = {
  summary: 'a session keeps the id that the browser sent: a login makes no new id',
  listener: next => withAliases(next, new Aliases('kept-ids'), (token, given) => given ?? token),
};

export const unlistedSessions: Defect = {
  summary: 'sessions are not listed: those of a user, or of everyone, cannot be found to end them',
  sessions: {
    decorateStore: store =>
      storeWith(store, {
        listByUser: async () => [],
        removeByHandle: async () => false,
        raiseEpoch: async () => 0,
        clear: async () => 0,
      }),
  },
};

export const foreignHandles: Defect = {
  summary: "a user sees and ends the sessions of all others, and ending a session of one's own does nothing",
  sessions: { decorateStore: mixUpHandles },
};

/** Ignores the user. It knows the owners only of sessions that this process began. */
function mixUpHandles(store: SessionStore): SessionStore {
  const owners = new Map<string, string>();
  return storeWith(store, {
    create: (id, record) => {
      owners.set(handleOfId(id), record.user);
      return store.create(id, record);
    },
    listByUser: async asking => {
      const users = [...new Set(owners.values()).add(asking)];
      return (await Promise.all(users.map(user => store.listByUser(user)))).flat();
    },
    removeByHandle: async (user, handle) => {
      const owner = owners.get(handle);
      return owner === undefined || owner === user || store.removeByHandle(owner, handle);
    },
  });
}
