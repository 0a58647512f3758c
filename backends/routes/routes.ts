import { setTimeout as delay } from 'node:timers/promises';
import type { Reply, SessionContext } from '#src/sessions/request-session.js';
import type { Json, SessionData } from '#src/sessions/session.js';
import { type Call, millisecondsOf, stringsOf } from '../call.js';
import { CartFull, json, NotUnderstood } from '../refusal.js';
import * as account from './account-routes.js';
import { logIn, logInWithCode, logOut, reauthenticate } from './authentication.js';
import {
  anyBrowserRoute,
  type Members,
  memberRoute,
  plainRoute,
  type Route,
  requireMember,
  sessionRoute,
} from './route.js';

/** The identity of this process. `incarnation` is a random name for this boot. */
export interface Self {
  readonly backend: string;
  readonly incarnation: string;
  readonly version: string | undefined;
  readonly mode: string;
}

/** The parts of the process that the routes need. */
export interface Shop {
  readonly self: Self;
  readonly members: Members;
  readonly requestCounts: RequestCounts;
  readonly page: Reply;
  readonly draining: () => boolean;
  /** The state of the shared store. Undefined without a store, or before its first answer. */
  readonly store: () => 'up' | 'down' | undefined;
  /** The age of the list of revoked sessions. Undefined in modes without one. */
  readonly feedAgeMs: () => number | undefined;
  /** Counts of events, such as each reason for having no session. */
  readonly counts: () => object;
  /** The ids of the keys of this process, the newest first. */
  readonly keys: () => readonly string[];
}

export function routesOf(shop: Shop): readonly Route[] {
  const { members } = shop;
  return [
    plainRoute('GET', '/', () => shop.page),
    plainRoute('GET', '/health', () => answerHealth(shop)),
    plainRoute('GET', '/stats', () =>
      json(200, { ...shop.requestCounts.report(), sessions: shop.counts(), keys: shop.keys() }),
    ),
    plainRoute('GET', '/slow', answerSlowly),

    sessionRoute('GET', '/me', (call, context) => whoAmI(shop, call, context)),
    anyBrowserRoute('POST', '/login', (call, context) => logIn(members, call, context)),
    anyBrowserRoute('POST', '/login/totp', (call, context) => logInWithCode(members, call, context)),
    anyBrowserRoute('POST', '/logout', logOut),
    memberRoute('POST', '/logout-everywhere', (...request) => account.logOutEverywhere(members, ...request)),

    memberRoute('GET', '/cart', readCart),
    memberRoute('POST', '/cart', (call, context, user) => add(shop.requestCounts, call, context, user)),
    memberRoute('DELETE', '/cart/:sku', remove),

    memberRoute('GET', '/account', (_call, context, user) => account.showAccount(members, context, user)),
    memberRoute('GET', '/account/sessions', (_call, context, user) => account.listSessions(members, context, user)),
    memberRoute('POST', '/account/sessions/end', (...request) => account.endSession(members, ...request)),
    memberRoute('POST', '/account/sessions/end-others', (...request) => account.endOthers(members, ...request)),
    anyBrowserRoute(
      'POST',
      '/account/reauthenticate',
      requireMember((...request) => reauthenticate(members, ...request)),
    ),
    memberRoute('POST', '/account/password', (...request) => account.changePassword(members, ...request)),
    memberRoute('POST', '/account/totp', (...request) => account.beginTotp(members, ...request)),
    memberRoute('POST', '/account/totp/confirm', (...request) => account.confirmTotp(members, ...request)),
    memberRoute('POST', '/account/totp/remove', (...request) => account.removeTotp(members, ...request)),

    memberRoute('POST', '/admin/disable', (...request) => account.disable(members, ...request)),
    memberRoute('POST', '/admin/enable', (...request) => account.enable(members, ...request)),
    memberRoute('POST', '/admin/delete', (...request) => account.deleteUser(members, ...request)),
    memberRoute('POST', '/admin/end-sessions', (...request) => account.endSessionsOf(members, ...request)),
    memberRoute('POST', '/admin/end-everyone', (...request) => account.endEveryone(members, ...request)),
  ];
}

const slowMsMax = 10_000;

/** Answers with the health of this backend. A store that is down is reported, but the status stays 200. Every backend
 * shares the store, so the proxy would remove them all. Then no backend could report that the store is down. */
function answerHealth({ self, draining, store, feedAgeMs }: Shop): Reply {
  const { backend, incarnation } = self;
  if (draining()) return json(503, { status: 'draining', backend, incarnation });
  return json(200, { status: 'ready', backend, incarnation, store: store(), revocationsAgeMs: roundAge(feedAgeMs()) });
}

/** Returns whole milliseconds. Null: the list was never read. */
function roundAge(ageMs: number | undefined): number | null | undefined {
  if (ageMs === undefined) return undefined;
  return Number.isFinite(ageMs) ? Math.round(ageMs) : null;
}

async function answerSlowly(call: Call): Promise<Reply> {
  const ms = millisecondsOf(call, 'ms', slowMsMax);
  await delay(ms);
  return json(200, { ms });
}

async function whoAmI({ self }: Shop, { affinity, proxied }: Call, context: SessionContext): Promise<Reply> {
  const user = context.session?.record.user ?? null;
  return json(200, { user, ...self, affinity, proxied, why: context.why ?? null });
}

async function readCart(_call: Call, context: SessionContext, user: string): Promise<Reply> {
  const cart: Cart = cartOf(context.session?.record.data ?? {});
  return json(200, { user, items: [...cart].map(([sku, quantity]) => ({ sku, quantity })) });
}

/**
 * Adds one item. `?delayMs=` delays the commit after the session was opened: a logout in between must stay effective.
 */
async function add(requestCounts: RequestCounts, call: Call, context: SessionContext, user: string): Promise<Reply> {
  const [given = ''] = stringsOf(call, 'sku');
  const sku = requireSku(given);
  const delayMs = millisecondsOf(call, 'delayMs', slowMsMax);
  if (delayMs > 0) await delay(delayMs);
  const data = await context.change(data => addOne(data, sku));
  requestCounts.countWrite(sku);
  return json(201, { user, sku, quantity: cartOf(data).get(sku) ?? 0 });
}

async function remove(call: Call, context: SessionContext, user: string): Promise<Reply> {
  const sku = requireSku(decodeStep(call.parameter));
  await context.change(data => removeAll(data, sku));
  return json(200, { user, sku, quantity: 0 });
}

function decodeStep(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    throw new NotUnderstood('the path is not percent-encoded UTF-8');
  }
}

/** The cart, which is stored in the session as a list of [sku, quantity]. It is not an object, because `__proto__` is a
 * valid sku, and an object cannot hold it as a key. */
type Cart = Map<string, number>;

const itemsMax = 500;

/** A plan file may name an item with 64 letters; a run adds 13. */
const skuShape = /^[A-Za-z0-9_.:-]{1,80}$/;

export function requireSku(sku: string): string {
  if (skuShape.test(sku)) return sku;
  throw new NotUnderstood('expected a sku of 1 to 80 letters, digits, or any of _ . : -');
}

function cartOf(data: SessionData): Cart {
  const cart: Cart = new Map();
  for (const line of listIn(data.cart)) {
    const [sku, quantity] = listIn(line);
    if (typeof sku === 'string' && typeof quantity === 'number') cart.set(sku, quantity);
  }
  return cart;
}

function addOne(data: SessionData, sku: string): void {
  const cart = cartOf(data);
  if (!cart.has(sku) && cart.size >= itemsMax) throw new CartFull(itemsMax);
  cart.set(sku, (cart.get(sku) ?? 0) + 1);
  data.cart = [...cart];
}

/** Removes an item. If it is not there, nothing changes, so nothing is written. */
function removeAll(data: SessionData, sku: string): void {
  const cart = cartOf(data);
  if (cart.delete(sku)) data.cart = [...cart];
}

function listIn(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Counts of what this process carried out, for tests. They show a write that was executed twice, even if the cart
 * hides it. */
interface RequestReport {
  readonly requests: number;
  /** Number of POST /cart that were carried out. */
  readonly writes: number;
  readonly uniqueTokens: number;
  /** Skus that were added more than once in this process, by any user. */
  readonly duplicateTokens: readonly string[];
  /** The largest number of user requests that this process handled at once. */
  readonly atOnceMax: number;
  /** False if more skus were seen than are remembered. Then a duplicate may be missing. */
  readonly complete: boolean;
}

const tokensMax = 200_000;

export class RequestCounts {
  readonly #tokens = new Set<string>();
  readonly #duplicates = new Set<string>();
  #requests = 0;
  #atOnce = 0;
  #atOnceMax = 0;
  #writes = 0;
  #complete = true;

  countRequest(): void {
    this.#requests++;
  }

  /** Counts a request of a user as here until `leave` is called. */
  enter(): void {
    this.#atOnce++;
    this.#atOnceMax = Math.max(this.#atOnceMax, this.#atOnce);
  }

  leave(): void {
    this.#atOnce--;
  }

  countWrite(sku: string): void {
    this.#writes++;
    if (this.#tokens.has(sku)) this.#duplicates.add(sku);
    else if (this.#tokens.size < tokensMax) this.#tokens.add(sku);
    else this.#complete = false;
  }

  report(): RequestReport {
    return {
      requests: this.#requests,
      writes: this.#writes,
      uniqueTokens: this.#tokens.size,
      duplicateTokens: [...this.#duplicates],
      atOnceMax: this.#atOnceMax,
      complete: this.#complete,
    };
  }
}
