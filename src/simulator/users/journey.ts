import type { OperationKind } from '../history/records.js';

/** Defines how simulated users speak to an app, and how they speak to the toy shop. */

/** The adapter between the simulated users and one app: how to build requests, and how to read answers. All of it is
 * pure. */
export interface Journey {
  /** Builds the request. `token` is given for `add` and `remove`. Returns a text instead if a value to carry is
   * missing; the text names it. */
  request(kind: OperationKind, user: string, token: string | undefined, carried: Carried): JourneyRequest | string;
  /** Returns the same request, for which the app waits `slowMs` between opening the session and changing it. Toy shop
   * only. */
  slowDown?(request: JourneyRequest, slowMs: number): JourneyRequest;
  /** Returns the request for a page that is needed right before, because its form holds a value to carry. Few apps have
   * one. */
  before?(
    kind: OperationKind,
    user: string,
    token: string | undefined,
    carried: Carried,
  ): JourneyRequest | string | undefined;
  /** Returns the request to send right after a successful operation, such as one that makes a cart. Few apps need it. */
  after?(kind: OperationKind, user: string, carried: Carried): JourneyRequest | string | undefined;
  /** Returns the values to carry from an answer. `cookie` reads the cookies that the user has after it. Few apps need
   * it. */
  carry?(
    kind: OperationKind,
    reply: AppReply,
    cookie: (name: string) => string | undefined,
  ): Iterable<[string, string]>;
  /** The possible names of the session cookie, if known. At most one of them is present. */
  readonly sessionCookies?: readonly string[];
  /** Returns the id of the key that signed or sealed a session cookie, if its value shows one. */
  keyOf?(cookieValue: string): string | undefined;
  /** Whether an answer means that the operation was done. */
  isOk(kind: OperationKind, reply: AppReply): boolean;
  /** Whether an answer is not ok only because of its body. */
  hasWrongBody?(kind: OperationKind, reply: AppReply): boolean;
  /** Whether the app answers as it does without a login. */
  isAnonymous(kind: OperationKind, reply: AppReply): boolean;
  /** Returns the body as data. Undefined when it is not data. */
  parse(reply: AppReply): unknown;
  /** The operations whose answers must name the user: an answer without a name is an error. */
  readonly naming: ReadonlySet<OperationKind>;
  /** Returns the user that an answer names. Null for anonymous; undefined when the answer does not say. */
  identity(kind: OperationKind, answer: unknown): string | null | undefined;
  /** Returns the whole cart, with a token of quantity k listed k times. If the answer holds no cart, returns a text
   * that says why. */
  items(answer: unknown): readonly string[] | string;
}

/** One request of a journey, without the cookies. */
export interface JourneyRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  /** Name, value, name, value. Absent: a body is JSON text. `originPlaceholder` in a value is the address of the app. */
  readonly headers?: readonly string[];
}

/** Stands in a header for the address to which the client sends: with several addresses only the client knows it. */
export const originPlaceholder = '{origin}';

/** Values that a user carries from earlier answers, by their names in the journey. An example is the hidden field of a
 * form. */
export type Carried = ReadonlyMap<string, string>;

/** The result of one request. A failure is a result too, never an exception. */
export interface AppReply {
  /** Whether any byte of the request can have reached the server. */
  readonly handedOver: boolean;
  /** Whether the whole answer arrived. */
  readonly complete: boolean;
  /** Absent when no answer began. */
  readonly status?: number;
  readonly headers: ReplyHeaders;
  readonly body: string;
  /** Why the answer is not complete: `ECONNREFUSED`, `timeout`, `UND_ERR_SOCKET` ... */
  readonly error?: string;
  /** Name of the proxy that took the request. Only set when there are several. */
  readonly proxy?: string;
}

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Most items in a cart, with quantities. No user adds as many, and a quantity of a billion must not fill the
 * memory. */
export const cartItemsMax = 10_000;

export const noCart = 'the answer holds no cart';
export const cartTooLarge = `the cart holds more than ${cartItemsMax} items`;

/**
 * Builds a cart from lines of a token and its quantity. A token with quantity k is listed k times, and with 0 not at
 * all. A token on two lines counts for both: a cart must not hide a duplicate. Returns a text if the lines form no
 * cart.
 */
export function cartOf(lines: readonly (readonly unknown[])[]): readonly string[] | string {
  const items: string[] = [];
  for (const [token, quantity] of lines) {
    if (typeof token !== 'string' || token === '' || !isQuantity(quantity)) return noCart;
    if (items.length + quantity > cartItemsMax) return cartTooLarge;
    for (let times = 0; times < quantity; times += 1) items.push(token);
  }
  return items;
}

function isQuantity(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

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
