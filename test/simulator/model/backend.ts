import type { Random } from '#src/simulator/plan/random.js';
import type { JourneyRequest } from '#src/simulator/users/journey.js';
import type { Keeping, Opened, Process, TooLarge } from './keeping.js';
import type { SessionRecord } from './store.js';
import type { VirtualTime } from './virtual-time.js';

/** An answer of the shop, before it passes links and the proxy. */
export interface ShopAnswer {
  readonly status: number;
  readonly body: string;
  /** The session cookie to set. '' clears it. */
  readonly cookie?: string | undefined;
}

interface Waiting {
  readonly request: JourneyRequest;
  readonly cookie: string | undefined;
  readonly answer: (answer: ShopAnswer) => void;
  /** Whether its client timed out, so that it must not begin. */
  readonly isOver: () => boolean;
}

interface Add {
  readonly sku: string;
  readonly delayMs: number;
  readonly isOver: () => boolean;
}

/** Builds the answer for a user with this cart. */
type BuildAnswer = (user: string, cart: readonly string[]) => readonly [status: number, body: unknown];

/** One backend: a toy shop with one cart for each session. */
export class ModelBackend implements Process {
  readonly name: string;
  state: 'up' | 'dead' | 'hung';
  boots = 0;
  readonly memory = new Map<string, SessionRecord>();
  readonly revoked = new Set<string>();
  version = 'A';
  schema = '';
  keys: readonly string[] = [];
  clockMs = 0;
  errorPercent = 0;
  /** How long each request takes at least. */
  workMs = 0;
  /** Since `sinceMs`, it stalls for `stallMs` every `everyMs`. */
  block: { readonly stallMs: number; readonly everyMs: number; readonly sinceMs: number } | undefined;
  counts: Record<string, number> = {};
  readonly #time: VirtualTime;
  readonly #keeping: Keeping;
  readonly #errors: Random;
  #waiting: Waiting[] = [];

  constructor(name: string, isUp: boolean, keeping: Keeping, time: VirtualTime, errors: Random) {
    this.name = name;
    this.state = isUp ? 'up' : 'dead';
    this.#keeping = keeping;
    this.#time = time;
    this.#errors = errors;
  }

  get incarnation(): string {
    return `${this.name}-boot-${this.boots}`;
  }

  receive(waiting: Waiting): void {
    if (this.state === 'hung') this.#waiting.push(waiting);
    else this.#time.after(this.#stallLeftMs() + this.workMs, () => this.#take(waiting));
  }

  kill(): void {
    this.state = 'dead';
    this.#waiting = [];
    this.memory.clear();
    this.counts = {};
    this.clockMs = 0;
    this.errorPercent = 0;
    this.block = undefined;
  }

  boot(): void {
    this.state = 'up';
    this.boots += 1;
  }

  hang(): void {
    this.state = 'hung';
  }

  goOn(): void {
    if (this.state !== 'hung') return;
    this.state = 'up';
    for (const waiting of this.#waiting.splice(0)) this.#take(waiting);
  }

  #stallLeftMs(): number {
    if (this.block === undefined) return 0;
    const { stallMs, everyMs, sinceMs } = this.block;
    return Math.max(0, stallMs - ((this.#time.now() - sinceMs) % everyMs));
  }

  #take(waiting: Waiting): void {
    if (this.state === 'hung') this.#waiting.push(waiting);
    if (this.state !== 'up' || waiting.isOver()) return;
    const fails = this.errorPercent > 0 && 100 * this.#errors() < this.errorPercent;
    const isDone = fails && this.#errors() < 0.5;
    const error = { status: 500, body: '{"error":"planted"}' };
    if (fails && !isDone) waiting.answer(error);
    else this.#execute(waiting, isDone ? () => waiting.answer(error) : waiting.answer);
  }

  #execute({ request, cookie, isOver }: Waiting, answer: Waiting['answer']): void {
    const { method, path, body } = request;
    const [place = '', query = ''] = path.split('?');
    const given: unknown = body === undefined ? {} : JSON.parse(body);
    if (place === '/login') this.#logIn(textIn(given, 'user'), cookie, answer);
    else if (place === '/logout') this.#logOut(cookie, answer);
    else if (place === '/me') this.#tellUser(cookie, answer);
    else if (method === 'GET') this.#tellCart(cookie, answer);
    else if (method === 'DELETE') this.#remove(decodeURIComponent(place.slice('/cart/'.length)), cookie, answer);
    else {
      const delayMs = Number(/delayMs=(\d+)/.exec(query)?.[1] ?? 0);
      this.#add({ sku: textIn(given, 'sku'), delayMs, isOver }, cookie, answer);
    }
  }

  #tellUser(cookie: string | undefined, answer: Waiting['answer']): void {
    this.#answerFor(this.#keeping.open(this, cookie), answer, user => [200, { user }], 200);
  }

  #tellCart(cookie: string | undefined, answer: Waiting['answer']): void {
    const opened = this.#keeping.open(this, cookie);
    this.#answerFor(opened, answer, (user, cart) => [200, { user, items: linesOf(cart) }]);
  }

  #remove(sku: string, cookie: string | undefined, answer: Waiting['answer']): void {
    const removed = this.#keeping.change(this, cookie, cart => cart.filter(item => item !== sku));
    this.#answerFor(removed, answer, user => [200, { user, sku, quantity: 0 }]);
  }

  #logIn(user: string, cookie: string | undefined, answer: Waiting['answer']): void {
    const begun = this.#keeping.begin(this, user, cookie);
    if (begun.kind === 'failed') this.#fail(begun.afterMs, answer);
    else answer({ status: 200, body: JSON.stringify({ user }), cookie: begun.cookie });
  }

  #logOut(cookie: string | undefined, answer: Waiting['answer']): void {
    const ended = this.#keeping.end(this, cookie);
    if (ended.kind === 'failed') this.#fail(ended.afterMs, answer);
    else answer({ status: 200, body: '{"user":null}', cookie: '' });
  }

  /** Adds an item. A slow add opens the session first and saves later, unless the session has ended by then. */
  #add({ sku, delayMs, isOver }: Add, cookie: string | undefined, answer: Waiting['answer']): void {
    const save = (): void => {
      if (this.state !== 'up' || isOver()) return;
      const added = this.#keeping.change(this, cookie, cart => [...cart, sku]);
      this.#answerFor(added, answer, user => [201, { user, sku, quantity: 1 }]);
    };
    const opened = delayMs === 0 ? undefined : this.#keeping.open(this, cookie);
    if (opened === undefined) save();
    else if (opened.kind === 'session') this.#time.after(delayMs, save);
    else this.#answerFor(opened, answer, user => [201, { user }]);
  }

  #answerFor(outcome: Opened | TooLarge, answer: Waiting['answer'], build: BuildAnswer, anonymousStatus = 401): void {
    if (outcome.kind === 'failed') this.#fail(outcome.afterMs, answer);
    else if (outcome.kind === 'too-large') answer({ status: 413, body: '{"error":"too large"}' });
    else if (outcome.kind === 'session') {
      const [status, body] = build(outcome.record.user, outcome.record.cart);
      answer({ status, body: JSON.stringify(body), cookie: outcome.cookie });
    } else {
      this.counts[outcome.why] = (this.counts[outcome.why] ?? 0) + 1;
      answer({ status: anonymousStatus, body: '{"user":null}', cookie: outcome.cookie });
    }
  }

  #fail(afterMs: number, answer: Waiting['answer']): void {
    this.#time.after(afterMs, () => answer({ status: 503, body: '{"error":"the store does not answer"}' }));
  }
}

function textIn(value: unknown, key: 'user' | 'sku'): string {
  if (typeof value !== 'object' || value === null) return '';
  return String(Object.entries(value).find(([name]) => name === key)?.[1] ?? '');
}

function linesOf(cart: readonly string[]): { sku: string; quantity: number }[] {
  const quantities = new Map<string, number>();
  for (const sku of cart) quantities.set(sku, (quantities.get(sku) ?? 0) + 1);
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }));
}
