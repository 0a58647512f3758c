import type { OperationKind } from '../history.js';

/** One request of a journey, without the cookies. */
export interface JourneyRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
}

/** The adapter between the simulated users and one app: what they ask, and how its answers are read. */
export interface Journey {
  /** `token` is given for `add` and `remove`. */
  request(kind: OperationKind, user: string, token: string | undefined): JourneyRequest;
  /** Status of an answer that means the operation was done. */
  readonly okStatus: Readonly<Record<OperationKind, number>>;
  /** Status of an answer to somebody who is not logged in. */
  readonly anonymousStatus: number;
  /** The body as data, undefined when it is none. Pure, like all below. */
  parse(body: string): unknown;
  /** Whom an answer addressed: a name, null for anonymous, undefined when it does not say. */
  identity(answer: unknown): string | null | undefined;
  /** The whole cart, token to quantity; undefined when the answer holds none. */
  items(answer: unknown): Readonly<Record<string, number>> | undefined;
}

const password = 'secret';

/** The JSON API of the toy shop. */
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
  okStatus: { login: 200, add: 201, remove: 200, read: 200, whoami: 200, logout: 200, replay: 200 },
  anonymousStatus: 401,
  parse(body) {
    try {
      return JSON.parse(body);
    } catch {
      return undefined;
    }
  },
  identity(answer) {
    const user = isObject(answer) ? answer.user : undefined;
    return typeof user === 'string' || user === null ? user : undefined;
  },
  items(answer) {
    const lines = isObject(answer) && Array.isArray(answer.items) ? answer.items : undefined;
    return lines?.every(isCartLine) ? cart(lines) : undefined;
  },
};

interface CartLine {
  readonly sku: string;
  readonly quantity: number;
}

function isCartLine(line: unknown): line is CartLine {
  if (!isObject(line) || typeof line.sku !== 'string' || line.sku === '') return false;
  return Number.isSafeInteger(line.quantity) && Number(line.quantity) >= 0;
}

/** A token on two lines counts with both: a cart must not hide a duplicate, nor a token called `__proto__`. */
function cart(lines: readonly CartLine[]): Record<string, number> {
  const items = new Map<string, number>();
  for (const { sku, quantity } of lines) items.set(sku, (items.get(sku) ?? 0) + quantity);
  return Object.fromEntries(items);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
