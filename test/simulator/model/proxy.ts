import { hash } from 'node:crypto';
import type { Random } from '#src/simulator/plan/random.js';
import type { AppReply, JourneyRequest } from '#src/simulator/users/journey.js';
import type { ModelBackend, ShopAnswer } from './backend.js';
import type { ModelLink, ModelLinks } from './links.js';
import type { VirtualTime } from './virtual-time.js';

/** A backend and its state in all proxies. */
export interface Candidate {
  readonly backend: ModelBackend;
  /** `draining`: it gets only requests of browsers that are bound to it. `out`: it gets no requests. */
  state: 'ready' | 'draining' | 'out';
}

export interface Routing {
  /** The most requests that a backend gets at once. */
  readonly maxconn?: number | undefined;
  readonly candidates: readonly Candidate[];
  readonly affinity: boolean;
  /** The cookie whose value decides which backend gets a request. Undefined: the backends take turns. */
  readonly hashedCookie?: string | undefined;
}

interface Exchange {
  readonly request: JourneyRequest;
  readonly cookies: ReadonlyMap<string, string>;
  readonly settle: (reply: AppReply) => void;
  readonly isOver: () => boolean;
  readonly tried: Set<ModelBackend>;
}

const affinityCookie = 'affinity';
const headBytes = 240;
const affinityBytes = 60;
const requestBytes = 300;

/** A load balancer. It sends each request to the backend of its browser, or to the next one in turn. */
export class ModelProxy {
  readonly name: string;
  state: 'up' | 'dead' | 'hung' = 'up';
  readonly #routing: Routing;
  readonly #links: ModelLinks;
  readonly #time: VirtualTime;
  readonly #latency: Random;
  readonly #inFlight = new Set<(reply: AppReply) => void>();
  /** Requests that a backend has and has not answered. */
  readonly #atBackend = new Map<ModelBackend, Set<Exchange>>();
  /** Requests that wait because their backend is at its limit, in order of arrival. */
  readonly #queues = new Map<ModelBackend, Exchange[]>();
  readonly #cookieBytes: (cookie: string) => number;
  readonly #deadlines: Deadlines;
  #turn = 0;

  constructor(
    name: string,
    routing: Routing,
    {
      links,
      time,
      latency,
      cookieBytes,
    }: { links: ModelLinks; time: VirtualTime; latency: Random; cookieBytes: (cookie: string) => number },
  ) {
    this.name = name;
    this.#routing = routing;
    this.#links = links;
    this.#time = time;
    this.#latency = latency;
    this.#cookieBytes = cookieBytes;
    this.#deadlines = new Deadlines(time);
  }

  /** Sends one request of a client and resolves with its reply. It times out after `timeoutMs`. */
  send(request: JourneyRequest, cookie: string | undefined, timeoutMs: number): Promise<AppReply> {
    if (this.state === 'dead') return this.#refuse();
    return new Promise(resolve => {
      let isOver = false;
      const settle = (reply: AppReply): void => {
        if (isOver) return;
        isOver = true;
        this.#inFlight.delete(settle);
        this.#time.followUp();
        resolve(reply);
      };
      this.#inFlight.add(settle);
      this.#deadlines.add({
        atMs: this.#time.now() + timeoutMs,
        expire: () => settle(newBrokenReply('timeout')),
        isOver: () => isOver,
      });
      if (this.state === 'hung') return;
      this.#forward({ request, cookies: parseCookies(cookie), settle, isOver: () => isOver, tried: new Set() });
    });
  }

  kill(): void {
    this.state = 'dead';
    for (const settle of [...this.#inFlight]) settle(newBrokenReply('UND_ERR_SOCKET'));
  }

  async #refuse(): Promise<AppReply> {
    await this.#time.until(this.#time.now() + 0.5);
    return { handedOver: false, complete: false, headers: {}, body: '', error: 'ECONNREFUSED' };
  }

  #forward(exchange: Exchange): void {
    const backend = this.#choose(exchange);
    if (backend === undefined) {
      this.#answerItself(exchange, 503, 'not-sent');
      return;
    }
    exchange.tried.add(backend);
    const link = this.#links.get(`${this.name}->${backend.name}`);
    const arrive = (): void => {
      if (exchange.isOver()) return;
      if (link.trouble.packets === 'dropped') link.lose(requestBytes, arrive);
      else if (link.trouble.packets === 'refused') this.#forward(exchange);
      else if (link.isCut('forward')) link.lose(requestBytes, () => this.#retryOrFail(exchange));
      else if (backend.state === 'dead') this.#forward(exchange);
      else this.#hand(exchange, backend, link);
    };
    this.#time.after(0.5 + link.delayMs(this.#latency) / 2, arrive);
  }

  #hand(exchange: Exchange, backend: ModelBackend, link: ModelLink): void {
    const at = this.#atBackend.get(backend) ?? new Set();
    this.#atBackend.set(backend, at);
    if (at.size >= (this.#routing.maxconn ?? Number.POSITIVE_INFINITY)) {
      this.#queues.set(backend, [...(this.#queues.get(backend) ?? []), exchange]);
      return;
    }
    at.add(exchange);
    backend.counts.atOnceMax = Math.max(backend.counts.atOnceMax ?? 0, at.size);
    backend.receive({
      request: exchange.request,
      cookie: exchange.cookies.get('session'),
      isOver: exchange.isOver,
      answer: answer => this.#passBack(answer, backend, link, exchange),
    });
  }

  /** Aborts the open requests of a backend. Call it when the process has died. */
  abortRequests(backend: ModelBackend): void {
    const at = this.#atBackend.get(backend) ?? new Set();
    this.#atBackend.delete(backend);
    const waiting = this.#queues.get(backend) ?? [];
    this.#queues.delete(backend);
    for (const exchange of at) this.#retryOrFail(exchange);
    for (const exchange of waiting) if (!exchange.isOver()) this.#forward(exchange);
  }

  /** Sends a backend the request that has waited longest for it. */
  #handNext(backend: ModelBackend, link: ModelLink): void {
    const waiting = this.#queues.get(backend)?.filter(exchange => !exchange.isOver()) ?? [];
    const next = waiting.shift();
    this.#queues.set(backend, waiting);
    if (next !== undefined) this.#hand(next, backend, link);
  }

  /** Retries a read on another backend. Any other request may have been executed, so it is never sent again. */
  #retryOrFail(exchange: Exchange): void {
    if (exchange.isOver()) return;
    if (exchange.request.method === 'GET') this.#forward(exchange);
    else this.#answerItself(exchange, 502, 'unknown');
  }

  #passBack(answer: ShopAnswer, backend: ModelBackend, link: ModelLink, exchange: Exchange): void {
    const tookMs = 0.5 + this.#latency() + link.delayMs(this.#latency) / 2;
    const arrive = (): void => {
      if (link.trouble.packets === 'dropped') {
        link.lose(headBytes, arrive);
        return;
      }
      const isThere = this.#atBackend.get(backend)?.delete(exchange) ?? false;
      if (isThere) this.#handNext(backend, link);
      if (!isThere || exchange.isOver()) return;
      if (link.isCut('back')) link.lose(headBytes, () => this.#retryOrFail(exchange));
      else this.#deliver(answer, backend, link, exchange);
    };
    this.#time.after(tookMs, arrive);
  }

  #deliver(answer: ShopAnswer, backend: ModelBackend, link: ModelLink, exchange: Exchange): void {
    const { status, body, cookie } = answer;
    const bound = `${backend.name}~${backend.incarnation}`;
    const isNew = this.#routing.affinity && exchange.cookies.get(affinityCookie) !== bound;
    const head = headBytes + (cookie === undefined ? 0 : this.#cookieBytes(cookie)) + (isNew ? affinityBytes : 0);
    const { breakAfterBytes = Number.POSITIVE_INFINITY } = link.trouble;
    const isBroken = head + body.length > breakAfterBytes;
    if (isBroken) link.brokenAnswers += 1;
    if (head > breakAfterBytes) {
      this.#retryOrFail(exchange);
      return;
    }
    const cookies = [
      ...(cookie === undefined ? [] : [setCookie('session', cookie)]),
      ...(isNew ? [setCookie(affinityCookie, bound)] : []),
    ];
    exchange.settle({
      handedOver: true,
      complete: !isBroken,
      status,
      headers: {
        'holdfast-backend': backend.name,
        'holdfast-incarnation': backend.incarnation,
        'holdfast-version': backend.version,
        ...(cookies.length > 0 && { 'set-cookie': cookies }),
      },
      body: isBroken ? '' : body,
      ...(isBroken && { error: 'UND_ERR_SOCKET' }),
    });
  }

  #answerItself({ settle }: Exchange, status: number, outcome: 'not-sent' | 'unknown'): void {
    const headers = { 'proxy-status': `holdfast; error=destination_unavailable; outcome=${outcome}` };
    settle({ handedOver: true, complete: true, status, headers, body: '' });
  }

  #choose({ cookies, tried }: Exchange): ModelBackend | undefined {
    const { affinity, candidates, hashedCookie } = this.#routing;
    const [name, incarnation] = (affinity ? (cookies.get(affinityCookie) ?? '') : '').split('~');
    const bound = candidates.find(({ backend }) => backend.name === name && backend.incarnation === incarnation);
    if (bound !== undefined && bound.state !== 'out' && !tried.has(bound.backend)) return bound.backend;
    const ready = candidates.filter(({ state, backend }) => state === 'ready' && !tried.has(backend));
    const key = hashedCookie === undefined ? undefined : cookies.get(hashedCookie);
    if (key !== undefined) return chooseHashed(key, ready);
    this.#turn += 1;
    return ready[this.#turn % Math.max(1, ready.length)]?.backend;
  }
}

/** Each backend draws a number for the key, and the highest wins (rendezvous hashing). */
function chooseHashed(key: string, ready: readonly Candidate[]): ModelBackend | undefined {
  const drawn = ready.map(({ backend }) => ({ backend, number: hash('sha256', `${key} ${backend.name}`) }));
  return drawn.toSorted((one, other) => (one.number < other.number ? 1 : -1))[0]?.backend;
}

interface Deadline {
  readonly atMs: number;
  readonly expire: () => void;
  readonly isOver: () => boolean;
}

/** Deadlines in the order in which they were set. One event serves all of them. */
class Deadlines {
  readonly #time: VirtualTime;
  #waiting: Deadline[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  add(deadline: Deadline): void {
    this.#waiting.push(deadline);
    if (this.#waiting.length === 1) this.#arm();
  }

  #arm(): void {
    const [next] = this.#waiting;
    if (next !== undefined) this.#time.at(next.atMs, () => this.#expireDue());
  }

  #expireDue(): void {
    const nowMs = this.#time.now();
    for (const { atMs, expire } of this.#waiting) if (atMs <= nowMs) expire();
    this.#waiting = this.#waiting.filter(({ atMs, isOver }) => atMs > nowMs && !isOver());
    this.#arm();
  }
}

function newBrokenReply(error: string): AppReply {
  return { handedOver: true, complete: false, headers: {}, body: '', error };
}

function parseCookies(header = ''): ReadonlyMap<string, string> {
  const pairs = header.split('; ').map(pair => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return new Map(pairs);
}

function setCookie(name: string, value: string): string {
  return value === '' ? `${name}=; Path=/; Max-Age=0` : `${name}=${value}; Path=/; HttpOnly`;
}
