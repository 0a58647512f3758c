import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Reply, Visit } from '#src/sessions/sessions.js';
import { type Call, millisecondsOf, stringsOf } from './call.js';
import { addOne, type Cart, cartOf, checkedSku, removeAll } from './cart.js';
import { NotUnderstood, WrongLogin } from './refusal.js';
import { json } from './reply.js';
import type { PlainRoute, Route, VisitAction, VisitRoute } from './route.js';
import type { Tally } from './tally.js';

/** Which process this is; `incarnation` is a random name for this boot of it. */
export interface Self {
  readonly backend: string;
  readonly incarnation: string;
  readonly mode: string;
}

/** What the routes need to know of the process that they run in. */
export interface Shop {
  readonly self: Self;
  readonly password: string;
  readonly tally: Tally;
  readonly page: Reply;
  readonly draining: () => boolean;
  /** How the shared store answered last; undefined where there is none or nobody asked it yet. */
  readonly store: () => 'up' | 'down' | undefined;
  /** How often each reason for having no session was seen, and the like. */
  readonly counts: () => object;
}

export function routesOf(shop: Shop): readonly Route[] {
  return [
    plain('GET', '/', () => shop.page),
    plain('GET', '/health', () => health(shop)),
    plain('GET', '/stats', () => json(200, { ...shop.tally.report(), sessions: shop.counts() })),
    plain('GET', '/slow', slow),
    visit('GET', '/me', (call, visit) => whoAmI(shop, call, visit)),
    visit('POST', '/login', (call, visit) => logIn(shop, call, visit)),
    visit('POST', '/logout', logOut),
    member('GET', '/cart', readCart),
    member('POST', '/cart', (call, visit, user) => add(shop.tally, call, visit, user)),
    member('DELETE', '/cart/:sku', remove),
  ];
}

const slowMsMax = 10_000;

function plain(method: PlainRoute['method'], path: string, act: PlainRoute['act']): PlainRoute {
  return { kind: 'plain', method, path, act };
}

function visit(method: VisitRoute['method'], path: string, act: VisitAction): VisitRoute {
  return { kind: 'visit', method, path, act };
}

type MemberAction = (call: Call, visit: Visit, user: string) => Promise<Reply>;

/** A route for those who are logged in; the others learn that they are not, and why. */
function member(method: VisitRoute['method'], path: string, act: MemberAction): VisitRoute {
  return visit(method, path, async (call, visit) => {
    const user = visit.session?.record.user;
    if (user !== undefined) return act(call, visit, user);
    return json(401, { error: 'please log in', why: visit.why ?? null, affinity: call.affinity });
  });
}

/**
 * A store that is down is said, and is no reason to answer other than 200: every backend shares it, so the proxy would
 * take them all out of the pool and nobody could even be told that the store is what does not work.
 */
function health({ self, draining, store }: Shop): Reply {
  const { backend, incarnation } = self;
  if (draining()) return json(503, { status: 'draining', backend, incarnation });
  return json(200, { status: 'ready', backend, incarnation, store: store() });
}

async function slow(call: Call): Promise<Reply> {
  const ms = millisecondsOf(call, 'ms', slowMsMax);
  await delay(ms);
  return json(200, { ms });
}

async function whoAmI({ self }: Shop, { affinity, proxied }: Call, visit: Visit): Promise<Reply> {
  const user = visit.session?.record.user ?? null;
  return json(200, { user, ...self, affinity, proxied, why: visit.why ?? null });
}

const userShape = /^[a-z0-9-]{1,64}$/;

async function logIn(shop: Shop, call: Call, visit: Visit): Promise<Reply> {
  const [user = '', password = ''] = stringsOf(call, 'user', 'password');
  const right = sameText(password, shop.password);
  if (!userShape.test(user) || !right) throw new WrongLogin();
  await visit.begin(user, { cart: [] });
  return json(200, { user });
}

/** Compares digests, so that neither the length nor the common beginning shows in the time it takes. */
function sameText(given: string, expected: string): boolean {
  return timingSafeEqual(sha256(given), sha256(expected));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function logOut(call: Call, visit: Visit): Promise<Reply> {
  stringsOf(call);
  await visit.end();
  return json(200, { user: null });
}

async function readCart(_call: Call, visit: Visit, user: string): Promise<Reply> {
  const cart: Cart = cartOf(visit.session?.record.data ?? {});
  return json(200, { user, items: [...cart].map(([sku, quantity]) => ({ sku, quantity })) });
}

/** `?delayMs=` lies between opening the session and committing it: whoever logs out meanwhile must stay logged out. */
async function add(tally: Tally, call: Call, visit: Visit, user: string): Promise<Reply> {
  const [given = ''] = stringsOf(call, 'sku');
  const sku = checkedSku(given);
  const delayMs = millisecondsOf(call, 'delayMs', slowMsMax);
  if (delayMs > 0) await delay(delayMs);
  const data = await visit.change(data => addOne(data, sku));
  tally.countWrite(sku);
  return json(201, { user, sku, quantity: cartOf(data).get(sku) ?? 0 });
}

async function remove(call: Call, visit: Visit, user: string): Promise<Reply> {
  const sku = checkedSku(decoded(call.parameter));
  await visit.change(data => removeAll(data, sku));
  return json(200, { user, sku, quantity: 0 });
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    throw new NotUnderstood('the path is not percent-encoded UTF-8');
  }
}
