import type { Random } from '#src/simulator/plan/random.js';
import type { AppReply, JourneyRequest } from '#src/simulator/users/journey.js';
import type { ModelBackend, ShopAnswer } from './backend.js';
import type { ModelLink, ModelLinks } from './links.js';
import type { VirtualTime } from './virtual-time.js';

/** What all proxies think of a backend. */
export interface Candidate {
  readonly backend: ModelBackend;
  /** `draining`: only the browsers that are bound to it. `out`: nothing. */
  state: 'ready' | 'draining' | 'out';
}

export interface Routing {
  readonly candidates: readonly Candidate[];
  readonly affinity: boolean;
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

/** A load balancer: sends each request to the backend of its browser, or to the next in turn. */
export class ModelProxy {
  readonly name: string;
  state: 'up' | 'dead' | 'hung' = 'up';
  readonly #routing: Routing;
  readonly #links: ModelLinks;
  readonly #time: VirtualTime;
  readonly #latency: Random;
  readonly #inFlight = new Set<(reply: AppReply) => void>();
  /** What was handed to a backend and has no answer yet. */
  readonly #atBackend = new Map<ModelBackend, Set<Exchange>>();
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

  /** What a client of this proxy does: one request, one reply, given up after `timeoutMs`. */
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
        giveUp: () => settle(broken('timeout')),
        isOver: () => isOver,
      });
      if (this.state === 'hung') return;
      this.#forward({ request, cookies: cookiesIn(cookie), settle, isOver: () => isOver, tried: new Set() });
    });
  }

  kill(): void {
    this.state = 'dead';
    for (const settle of [...this.#inFlight]) settle(broken('UND_ERR_SOCKET'));
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
    this.#time.after(0.5 + link.delayMs(this.#latency) / 2, () => {
      if (exchange.isOver()) return;
      if (link.isCut('forward')) link.lose(requestBytes, () => this.#afterBreak(exchange));
      else if (backend.state === 'dead') this.#forward(exchange);
      else this.#hand(exchange, backend, link);
    });
  }

  #hand(exchange: Exchange, backend: ModelBackend, link: ModelLink): void {
    const at = this.#atBackend.get(backend) ?? new Set();
    this.#atBackend.set(backend, at);
    at.add(exchange);
    backend.receive({
      request: exchange.request,
      cookie: exchange.cookies.get('session'),
      isOver: exchange.isOver,
      answer: answer => this.#passBack(answer, backend, link, exchange),
    });
  }

  /** To be called when a process died: what it had not answered is broken off. */
  breakOff(backend: ModelBackend): void {
    const at = this.#atBackend.get(backend) ?? new Set();
    this.#atBackend.delete(backend);
    for (const exchange of at) this.#afterBreak(exchange);
  }

  /** Sends a read to another backend. Anything else may have been carried out, so it is never sent again. */
  #afterBreak(exchange: Exchange): void {
    if (exchange.isOver()) return;
    if (exchange.request.method === 'GET') this.#forward(exchange);
    else this.#answerItself(exchange, 502, 'unknown');
  }

  #passBack(answer: ShopAnswer, backend: ModelBackend, link: ModelLink, exchange: Exchange): void {
    const tookMs = 0.5 + this.#latency() + link.delayMs(this.#latency) / 2;
    this.#time.after(tookMs, () => {
      const isThere = this.#atBackend.get(backend)?.delete(exchange) ?? false;
      if (!isThere || exchange.isOver()) return;
      if (link.isCut('back')) link.lose(headBytes, () => this.#afterBreak(exchange));
      else this.#deliver(answer, backend, link, exchange);
    });
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
      this.#afterBreak(exchange);
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
    const { affinity, candidates } = this.#routing;
    const [name, incarnation] = (affinity ? (cookies.get(affinityCookie) ?? '') : '').split('~');
    const bound = candidates.find(({ backend }) => backend.name === name && backend.incarnation === incarnation);
    if (bound !== undefined && bound.state !== 'out' && !tried.has(bound.backend)) return bound.backend;
    const ready = candidates.filter(({ state, backend }) => state === 'ready' && !tried.has(backend));
    this.#turn += 1;
    return ready[this.#turn % Math.max(1, ready.length)]?.backend;
  }
}

interface Deadline {
  readonly atMs: number;
  readonly giveUp: () => void;
  readonly isOver: () => boolean;
}

/** Deadlines that come in the order in which they were set: one event for all of them. */
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
    if (next !== undefined) this.#time.at(next.atMs, () => this.#look());
  }

  #look(): void {
    const nowMs = this.#time.now();
    for (const { atMs, giveUp } of this.#waiting) if (atMs <= nowMs) giveUp();
    this.#waiting = this.#waiting.filter(({ atMs, isOver }) => atMs > nowMs && !isOver());
    this.#arm();
  }
}

function broken(error: string): AppReply {
  return { handedOver: true, complete: false, headers: {}, body: '', error };
}

function cookiesIn(header = ''): ReadonlyMap<string, string> {
  const pairs = header.split('; ').map(pair => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  return new Map(pairs);
}

function setCookie(name: string, value: string): string {
  return value === '' ? `${name}=; Path=/; Max-Age=0` : `${name}=${value}; Path=/; HttpOnly`;
}
