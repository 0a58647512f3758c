import { randomBytes } from 'node:crypto';
import { successorPrefix } from '../successors.js';

/** Stands in front of the name under which a store keeps an anonymous session. No user has such a name. */
const prefix = 'anonymous:';
const nameCharsMax = 256;

/** Returns a name for one anonymous session. It is random, so it links the session to no user and to no other session. */
export function newAnonymousName(): string {
  return `${prefix}${randomBytes(16).toString('base64url')}`;
}

/** Returns the name of the user of a session. Undefined for an anonymous session. */
export function userNameOf(name: string | undefined): string | undefined {
  return name?.startsWith(prefix) ? undefined : name;
}

/** Throws a `TypeError` for a name that cannot be a user's. */
export function assertUserName(user: unknown): asserts user is string {
  if (typeof user !== 'string' || user === '' || user.length > nameCharsMax)
    throw new TypeError(`login: expected the name of a user, a text of 1 to ${nameCharsMax} characters`);
  const reserved = [prefix, successorPrefix].find(each => user.startsWith(each));
  if (reserved !== undefined) throw new TypeError(`login: no user may have a name that begins with "${reserved}"`);
}
