import type { OperationKind } from '../history/records.js';

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
  carry?(
    kind: OperationKind,
    reply: AppReply,
    cookie: (name: string) => string | undefined,
  ): Iterable<[string, string]>;
  /** The names under which the app keeps its session in the browser, where they are known: one of them is there at most. */
  readonly sessionCookies?: readonly string[];
  /** The id of the key that signed or sealed a session cookie, where its value shows one. */
  keyOf?(cookieValue: string): string | undefined;
  /** Whether an answer means that the operation was done. */
  isOk(kind: OperationKind, reply: AppReply): boolean;
  /** Whether it is not ok by its body alone. */
  hasWrongBody?(kind: OperationKind, reply: AppReply): boolean;
  /** Whether the app answers as it does without a login. */
  isAnonymous(kind: OperationKind, reply: AppReply): boolean;
  /** The body as data, undefined when it is none. */
  parse(reply: AppReply): unknown;
  /** The operations whose answers are no good when they do not say whom they addressed. */
  readonly naming: ReadonlySet<OperationKind>;
  /** Whom an answer addressed: a name, null for anonymous, undefined when it does not say. */
  identity(kind: OperationKind, answer: unknown): string | null | undefined;
  /** The whole cart, a token with quantity k k times; a text when the answer holds none: why. */
  items(answer: unknown): readonly string[] | string;
}

/** What came of one request. Never an exception. */
export interface AppReply {
  /** Whether a byte of the request can have reached the server. */
  readonly handedOver: boolean;
  /** Whether the whole answer came. */
  readonly complete: boolean;
  /** When an answer began. */
  readonly status?: number;
  readonly headers: ReplyHeaders;
  readonly body: string;
  /** Why the answer is not complete: `ECONNREFUSED`, `timeout`, `UND_ERR_SOCKET` ... */
  readonly error?: string;
  /** The name of the proxy that took the request; only where the users know several. */
  readonly proxy?: string;
}

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Quantities count. More than a user can put there, and a quantity of a billion must not fill the memory. */
export const cartItemsMax = 10_000;

export const noCart = 'the answer holds no cart';
export const cartTooLarge = `the cart holds more than ${cartItemsMax} items`;

/**
 * The cart that these lines make, each a token and its quantity: a token with quantity k stands in it k times, and with
 * none not at all. A token on two lines counts with both: a cart must not hide a duplicate. A text says why it is none.
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
