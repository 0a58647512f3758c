import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Defect, Listener } from './defect.js';
import { storeWith } from './stores.js';

const cookie = /(?<=(?:^|;\s*)session=)[^;]+/;

/** Gives browsers other names for their sessions than the shop has, within one process. `aliasOf` makes the name from
 * the token and from the cookie that the browser sent. */
function withAliases(next: Listener, aliasOf: (token: string, given: string | undefined) => string): Listener {
  const tokens = new Map<string, string>();
  return (request, response) => {
    const given = cookie.exec(request.headers.cookie ?? '')?.[0];
    restoreTokens(request, tokens);
    replaceTokens(response, token => {
      const alias = aliasOf(token, given);
      tokens.set(alias, token);
      return alias;
    });
    next(request, response);
  };
}

function restoreTokens({ headers }: IncomingMessage, tokens: ReadonlyMap<string, string>): void {
  if (headers.cookie !== undefined)
    headers.cookie = headers.cookie.replace(cookie, alias => tokens.get(alias) ?? alias);
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
  listener: next => {
    const prefix = randomBytes(prefixBytes);
    let count = 0n;
    return withAliases(next, () => {
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(count++);
      return Buffer.concat([prefix, number]).toString('base64url');
    });
  },
};

const charsKept = 32;

/** Imitates a database column that is too short and truncates its values. */
const shorten = (id: string) => id.slice(0, charsKept);

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
  listener: next => withAliases(next, (token, given) => given ?? token),
};
