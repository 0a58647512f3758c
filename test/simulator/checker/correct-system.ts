import fc from 'fast-check';
import type { Operation, OperationKind, OperationOutcome } from '#src/simulator/history/records.js';

/**
 * Makes histories of a correct system, with users who do everything that they may. Each request is executed at one
 * moment between its sending and its end. A request that ends unknown may be executed later, or never. A request that
 * fails is never executed. Carts belong to sessions. A login replaces the session, and a logout deletes it. A later
 * request with that session is anonymous.
 */
interface Wish {
  readonly kind: OperationKind;
  readonly outcome: OperationOutcome;
  readonly pauseMs: number;
  readonly lastsMs: number;
  /** When the request takes effect, as a share of its duration. Above 1: after its end, if its result is unknown. */
  readonly share: number;
  /** The next request does not wait for its end. */
  readonly inParallel: boolean;
  /** Which of the tokens so far it removes. */
  readonly choice: number;
}

const wish: fc.Arbitrary<Wish> = fc.record({
  kind: oneOf<OperationKind>({ add: 8, read: 8, remove: 3, whoami: 3, login: 2, logout: 2, replay: 4 }),
  outcome: oneOf<OperationOutcome>({ ok: 8, unknown: 1, fail: 1 }),
  pauseMs: fc.integer({ min: 0, max: 6 }),
  lastsMs: fc.integer({ min: 1, max: 12 }),
  share: fc.double({ min: 0, max: 6, noNaN: true }),
  inParallel: fc.boolean(),
  choice: fc.nat(1000),
});

function oneOf<T extends string>(weights: Readonly<Partial<Record<T, number>>>): fc.Arbitrary<T> {
  const names = Object.keys(weights) as T[];
  return fc.oneof(...names.map(name => ({ arbitrary: fc.constant(name), weight: weights[name] ?? 1 })));
}

/** Histories of one to three users, with unique ids. */
export const correctHistory: fc.Arbitrary<Operation[]> = fc
  .array(fc.array(wish, { maxLength: 40 }), { minLength: 1, maxLength: 3 })
  .map(users =>
    users.flatMap((wishes, i) => historyOf(`user${i + 1}`, wishes)).map((operation, id) => ({ ...operation, id })),
  );

/** One request. Its times are fixed; the system adds the answer. */
interface Request {
  readonly wish: Wish;
  readonly token: string | undefined;
  readonly sentMs: number;
  readonly doneMs: number;
  readonly carriedOutMs: number;
  readonly final: boolean;
  session: number;
  cookie: string | undefined;
  answer: Partial<Operation>;
}

function historyOf(user: string, wishes: readonly Wish[]): Operation[] {
  const requests = requestsOf(user, wishes);
  const client = new Client();
  const system = new System(user);
  const moments = requests.flatMap((request, order) => [
    { atMs: request.sentMs, order, happen: () => client.send(request) },
    { atMs: request.carriedOutMs, order, happen: () => system.carryOut(request) },
    { atMs: request.doneMs, order, happen: () => client.take(request) },
  ]);
  for (const { happen } of moments.sort((a, b) => a.atMs - b.atMs || a.order - b.order)) happen();
  return requests.filter(wasSent).map(request => operationOf(user, request));
}

function requestsOf(user: string, wishes: readonly Wish[]): Request[] {
  const sure = { outcome: 'ok', pauseMs: 1, lastsMs: 5, share: 0.5, inParallel: false, choice: 0 } as const;
  const all: Wish[] = [{ ...sure, kind: 'login' }, ...wishes, { ...sure, kind: 'read', pauseMs: 100 }];
  const tokens: string[] = [];
  let clockMs = 0;
  return all.map((wish, i) => {
    const sentMs = clockMs + wish.pauseMs;
    const doneMs = sentMs + wish.lastsMs;
    clockMs = wish.inParallel && wish.kind === 'read' ? sentMs : Math.max(clockMs, doneMs);
    if (wish.kind === 'add') tokens.push(`${user}t${i}`);
    const token = wish.kind === 'add' ? tokens.at(-1) : tokens[wish.choice % tokens.length];
    return { wish, token, sentMs, doneMs, ...unsent(wish, sentMs), final: i === all.length - 1 };
  });
}

function unsent(wish: Wish, sentMs: number) {
  const share = wish.outcome === 'ok' ? wish.share / 6 : wish.share;
  const isNever = wish.outcome === 'fail' || (wish.outcome === 'unknown' && wish.choice % 3 === 0);
  const carriedOutMs = isNever ? Number.POSITIVE_INFINITY : sentMs + share * wish.lastsMs;
  return { carriedOutMs, session: 0, cookie: undefined, answer: {} };
}

class Client {
  #cookie: string | undefined;
  #oldCookie: string | undefined;
  #session = 0;

  send(request: Request): void {
    const { kind } = request.wish;
    request.cookie = kind === 'replay' ? this.#oldCookie : this.#cookie;
    request.session = kind === 'login' ? this.#session + 1 : this.#session;
  }

  take({ wish, cookie, session, answer }: Request): void {
    if (wish.outcome !== 'ok') return;
    if (wish.kind === 'login') {
      this.#cookie = answer.incarnation;
      this.#session = session;
    } else if (wish.kind === 'logout') {
      this.#oldCookie = cookie;
      this.#cookie = undefined;
    }
  }
}

class System {
  readonly #carts = new Map<string, Map<string, number>>();
  #logins = 0;

  constructor(readonly user: string) {}

  carryOut(request: Request): void {
    if (request.carriedOutMs === Number.POSITIVE_INFINITY) return;
    request.answer = this.#answerTo(request);
  }

  #answerTo({ wish, cookie = '', token = '' }: Request): Partial<Operation> {
    const cart = this.#carts.get(cookie);
    if (wish.kind === 'login') return this.#login(cookie);
    if (wish.kind === 'logout') this.#carts.delete(cookie);
    if (wish.kind === 'logout' || cart === undefined) return { identity: null };
    if (wish.kind === 'add') cart.set(token, (cart.get(token) ?? 0) + 1);
    if (wish.kind === 'remove') cart.delete(token);
    return { identity: this.user, ...(wish.kind === 'read' && { items: itemsOf(cart) }) };
  }

  /** Carries the cookie in `incarnation`, which the checker reads only when a deploy struck. */
  #login(oldCookie: string): Partial<Operation> {
    this.#carts.delete(oldCookie);
    this.#logins += 1;
    const cookie = `cookie-${this.#logins}`;
    this.#carts.set(cookie, new Map());
    return { identity: this.user, incarnation: cookie };
  }
}

function itemsOf(cart: ReadonlyMap<string, number>): string[] {
  return [...cart].flatMap(([token, quantity]) => Array<string>(quantity).fill(token));
}

function wasSent({ wish, token, cookie }: Request): boolean {
  if (wish.kind === 'replay') return cookie !== undefined;
  return token !== undefined || (wish.kind !== 'add' && wish.kind !== 'remove');
}

function operationOf(user: string, { wish, token, session, sentMs, doneMs, answer, final }: Request): Operation {
  const { kind } = wish;
  const isRefused = answer.identity === null && kind !== 'logout' && kind !== 'replay';
  const outcome = wish.outcome === 'unknown' && (kind === 'read' || kind === 'whoami') ? 'fail' : wish.outcome;
  return {
    type: 'operation',
    id: 0,
    user,
    kind,
    session,
    plannedMs: sentMs,
    sentMs,
    doneMs,
    outcome: outcome === 'ok' && isRefused ? 'fail' : outcome,
    ...((kind === 'add' || kind === 'remove') && token !== undefined && { token }),
    ...(outcome === 'ok' && answer),
    ...(final && { final: true as const }),
  };
}
