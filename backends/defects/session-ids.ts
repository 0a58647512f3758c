import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Defect, Listener } from './defect.js';
import { storeWith } from './stores.js';

const cookie = /(?<=(?:^|;\s*)session=)[^;]+/;

/** Gives browsers other names for their sessions than the shop has, within one process. `aliasOf` makes the name from
 * the token and from the cookie that the browser sent. */
export function aliased(next: Listener, aliasOf: (token: string, given: string | undefined) => string): Listener {
  const tokens = new Map<string, string>();
  return (request, response) => {
    const given = cookie.exec(request.headers.cookie ?? '')?.[0];
    unmask(request, tokens);
    mask(response, token => {
      const alias = aliasOf(token, given);
      tokens.set(alias, token);
      return alias;
    });
    next(request, response);
  };
}

function unmask({ headers }: IncomingMessage, tokens: ReadonlyMap<string, string>): void {
  if (headers.cookie !== undefined)
    headers.cookie = headers.cookie.replace(cookie, alias => tokens.get(alias) ?? alias);
}

/** Replaces the token in the cookie. The sessions append their cookie with this call only. */
function mask(response: ServerResponse, aliasOf: (token: string) => string): void {
  const append = response.appendHeader.bind(response);
  response.appendHeader = (name, value) =>
    append(name, name === 'set-cookie' && typeof value === 'string' ? value.replace(cookie, aliasOf) : value);
}

const prefixBytes = 24;

export const countingIds: Defect = {
  summary: 'session ids are a number that counts up behind a prefix that is chosen once',
  listener: next => {
    const prefix = randomBytes(prefixBytes);
    let count = 0n;
    return aliased(next, () => {
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(count++);
      return Buffer.concat([prefix, number]).toString('base64url');
    });
  },
};

const charsKept = 32;

/** Imitates a database column that is too short and truncates its values. */
const shortened = (id: string) => id.slice(0, charsKept);

export const shortIds: Defect = {
  summary: `the store looks at the first ${charsKept} characters of an id only`,
  sessions: {
    decorateStore: store =>
      storeWith(store, {
        read: id => store.read(shortened(id)),
        create: (id, record) => store.create(shortened(id), record),
        replace: (id, record) => store.replace(shortened(id), record),
        touch: (id, idleUntilMs) => store.touch(shortened(id), idleUntilMs),
        remove: (id, onlyVersion) => store.remove(shortened(id), onlyVersion),
      }),
  },
};

export const keepIdAtLogin: Defect = {
  summary: 'a session keeps whatever id the browser came with: none is made anew at login',
  listener: next => aliased(next, (token, given) => given ?? token),
};
