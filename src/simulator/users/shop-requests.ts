import type { OperationKind } from '../history/records.js';
import { cartOf, noCart } from './cart.js';
import type { Reply } from './http-client.js';
import { keyOfToken } from './token-key.js';

/** One request of a journey, without the cookies. */
export interface JourneyRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  /** Name, value, name, value; absent, a body is JSON text. */
  readonly headers?: readonly string[];
}

/** What earlier answers gave a user to bring along, by its name in the journey: the hidden field of a form. */
export type Carried = ReadonlyMap<string, string>;

/** The adapter between the simulated users and one app: what they ask, and how its answers are read. All of it is pure. */
export interface Journey {
  /** `token` is given for `add` and `remove`. A text in place of a request says what is not there to be carried yet. */
  request(kind: OperationKind, user: string, token: string | undefined, carried: Carried): JourneyRequest | string;
  /** The same request, over which the app then takes so long between opening the session and changing it. Of the toy shop. */
  slowed?(request: JourneyRequest, slowMs: number): JourneyRequest;
  /** The page that is asked for right before, whose form holds what the request then carries; of few apps. */
  before?(
    kind: OperationKind,
    user: string,
    token: string | undefined,
    carried: Carried,
  ): JourneyRequest | string | undefined;
  /** What an answer gives to carry; `cookie` reads what the user holds after it. Of few apps. */
  carry?(kind: OperationKind, reply: Reply, cookie: (name: string) => string | undefined): Iterable<[string, string]>;
  /** The names under which the app keeps its session in the browser, where they are known: one of them is there at most. */
  readonly sessionCookies?: readonly string[];
  /** The id of the key that signed or sealed a session cookie, where its value shows one. */
  keyOf?(cookieValue: string): string | undefined;
  /** Whether an answer means that the operation was done. */
  isOk(kind: OperationKind, reply: Reply): boolean;
  /** Whether it is not ok by its body alone. */
  hasWrongBody?(kind: OperationKind, reply: Reply): boolean;
  /** Whether the app answers as it does without a login. */
  isAnonymous(kind: OperationKind, reply: Reply): boolean;
  /** The body as data, undefined when it is none. */
  parse(reply: Reply): unknown;
  /** The operations whose answers are no good when they do not say whom they addressed. */
  readonly naming: ReadonlySet<OperationKind>;
  /** Whom an answer addressed: a name, null for anonymous, undefined when it does not say. */
  identity(kind: OperationKind, answer: unknown): string | null | undefined;
  /** The whole cart, a token with quantity k k times; a text when the answer holds none: why. */
  items(answer: unknown): readonly string[] | string;
}

const password = 'secret';
const okStatus = { login: 200, add: 201, remove: 200, read: 200, whoami: 200, logout: 200, replay: 200 };

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
  slowed: (request, slowMs) => ({ ...request, path: `${request.path}?delayMs=${slowMs}` }),
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
