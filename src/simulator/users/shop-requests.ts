import type { OperationKind } from '../history/records.js';
import { cartOf, type Journey, noCart } from './journey.js';

const password = 'secret';
const okStatus = { login: 200, add: 201, remove: 200, read: 200, whoami: 200, logout: 200, replay: 200 };

/** The journey through the JSON API of the toy shop. */
export const shopJourney: Journey = {
  request(kind, user, token = '') {
    switch (kind) {
      case 'login':
        return { method: 'POST', path: '/login', body: JSON.stringify({ user, password }) };
      case 'add':
        return { method: 'POST', path: '/cart', body: JSON.stringify({ sku: token }) };
      case 'remove':
        return { method: 'DELETE', path: `/cart/${encodeURIComponent(token)}` };
      case 'read':
      case 'replay':
        return { method: 'GET', path: '/cart' };
      case 'whoami':
        return { method: 'GET', path: '/me' };
      case 'logout':
        return { method: 'POST', path: '/logout', body: '{}' };
    }
  },
  slowDown: (request, slowMs) => ({ ...request, path: `${request.path}?delayMs=${slowMs}` }),
  sessionCookies: ['session', '__Host-session'],
  keyOf: keyOfToken,
  isOk: (kind, { status }) => status === okStatus[kind],
  isAnonymous: (_kind, { status }) => status === 401,
  naming: new Set<OperationKind>(['login', 'add', 'remove', 'read', 'whoami']),
  parse({ body }) {
    try {
      return JSON.parse(body);
    } catch {
      return undefined;
    }
  },
  identity(_kind, answer) {
    const user = isObject(answer) ? answer.user : undefined;
    return typeof user === 'string' || user === null ? user : undefined;
  },
  items(answer) {
    if (!isObject(answer) || !Array.isArray(answer.items)) return noCart;
    return cartOf(answer.items.map(line => (isObject(line) ? [line.sku, line.quantity] : [])));
  },
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** The form of a key id of a key ring. */
const keyId = /^[\w-]{1,32}$/;
const sealedToken = /^v\d{1,3}\.([\w-]{1,32})\.[\w-]+$/;
/** The form of an access token. The header of those of the toy shop has some 60 characters. */
const jwtToken = /^([\w-]{1,400})\.[\w-]+\.[\w-]+(?:~|$)/;

/**
 * Returns the id of the key that signed or sealed a session token: the `kid` in the header of a JWT (RFC 7515, section
 * 4.1.4), or the second part of a sealed token. It verifies nothing. Undefined for a token that names no key.
 */
export function keyOfToken(token: string): string | undefined {
  const id = sealedToken.exec(token)?.[1] ?? kidOf(jwtToken.exec(token)?.[1]);
  return id !== undefined && keyId.test(id) ? id : undefined;
}

function kidOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  try {
    const fields: unknown = JSON.parse(Buffer.from(header, 'base64url').toString());
    const isNamed = typeof fields === 'object' && fields !== null && 'kid' in fields && typeof fields.kid === 'string';
    return isNamed ? String(fields.kid) : undefined;
  } catch {
    return undefined;
  }
}
