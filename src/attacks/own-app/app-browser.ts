import { isIP } from 'node:net';
import { CookieJar } from '../../simulator/users/browser.js';
import type { AppReply, Journey, JourneyRequest } from '../../simulator/users/journey.js';
import { type Judgement, judge } from '../../simulator/users/outcome.js';
import { type AttackExchange, Inconclusive, readSetCookie } from '../tools/browser.js';
import { buildMaskedExchange, type Outgoing } from './masked-exchange.js';

/** A step of the journey, and the two steps that only attacks use. */
export type AppStep = 'login' | 'add' | 'read' | 'whoami' | 'logout' | 'password' | 'refresh';

/** A journey in which a step has this kind: the journey knows `password` as a `logout`, and `refresh` as a `login`. */
export interface SteppedJourney {
  readonly journey: Journey;
  readonly kind: 'login' | 'add' | 'read' | 'whoami' | 'logout';
}

/** The way to the app: its address, its HTTP client, and its journey. */
interface AppAccess {
  readonly origin: string;
  send(request: JourneyRequest, cookie: string | undefined): Promise<AppReply>;
  stepped(step: AppStep): SteppedJourney;
}

/** One answer of the app, what it answered, and how the journey judges it. */
export class AppAnswer {
  readonly outgoing: Outgoing;
  readonly reply: AppReply;
  readonly judged: Judgement;
  readonly status: number;
  readonly setCookies: readonly string[];
  readonly #host: string;
  readonly #secrets: readonly string[];

  constructor(outgoing: Outgoing, reply: AppReply, judged: Judgement, host: string, secrets: readonly string[]) {
    this.outgoing = outgoing;
    this.reply = reply;
    this.judged = judged;
    this.status = reply.status ?? 0;
    this.setCookies = [reply.headers['set-cookie'] ?? []].flat();
    this.#host = host;
    this.#secrets = secrets;
  }

  /** Whether the step was done, as `ok` of the journey says. */
  get isDone(): boolean {
    return this.judged.outcome === 'ok';
  }

  /** Whether the app refused: it answered as without a login, or with a status from 400 to 499. */
  get isRefusal(): boolean {
    return this.judged.identity === null || (this.status >= 400 && this.status < 500);
  }

  get exchange(): AttackExchange {
    return buildMaskedExchange(this.#host, this.outgoing, this.reply, this.#secrets);
  }

  /** Says in a few words what came back: `GET /cart was answered with status 200`. */
  describe(): string {
    const { request } = this.outgoing;
    const { location } = this.reply.headers;
    const target = typeof location === 'string' ? ` to ${location.split('?')[0]}` : '';
    return `${request.method} ${request.path.split('?')[0]} was answered with status ${this.status}${target}`;
  }
}

interface Held {
  readonly setCookies: readonly string[];
  readonly carried: ReadonlyMap<string, string>;
}

/** A cookie that another host of the domain has set under a name that the app uses. */
interface TossedCookie {
  readonly name: string;
  readonly value: string;
  /** Whether the browser sends it before the cookie of the app. A longer Path has this effect. */
  readonly isFirst: boolean;
}

/**
 * A browser of one user of the app. It keeps cookies and carried values as the simulated users do. It can be copied, and
 * its requests can be changed before they are sent.
 */
export class AppBrowser {
  readonly user: string;
  readonly carried: Map<string, string>;
  tossed: TossedCookie | undefined;
  readonly #access: AppAccess;
  readonly #jar: CookieJar;
  readonly #setCookies: string[] = [];

  constructor(access: AppAccess, user: string, held: Held = { setCookies: [], carried: new Map() }) {
    this.user = user;
    this.#access = access;
    this.#jar = new CookieJar(access.origin);
    this.carried = new Map(held.carried);
    this.#store(held.setCookies);
  }

  /** Returns another browser of the same user with a copy of everything that this one holds. */
  copy(user = this.user): AppBrowser {
    return new AppBrowser(this.#access, user, { setCookies: this.#setCookies, carried: this.carried });
  }

  /** Stores a cookie that the app did not set. */
  plant(name: string, value: string): void {
    this.#store([`${name}=${value}; Path=/`]);
  }

  /** The Set-Cookie lines of all answers so far. */
  get setCookies(): readonly string[] {
    return this.#setCookies;
  }

  /** Returns the cookies that go to this path, by name. */
  cookiesFor(path: string): ReadonlyMap<string, string> {
    const pairs = this.#jar.header(path)?.split('; ') ?? [];
    return new Map(pairs.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  }

  /** Builds the request of a step. Throws `Inconclusive` when a value to carry is missing. */
  fill(step: AppStep, item?: string): Outgoing {
    const { journey, kind } = this.#access.stepped(step);
    return this.#outgoing(journey.request(kind, this.user, item, this.carried), step);
  }

  /** Asks for the page before a step, if the step has one, and builds the request. */
  async prepare(step: AppStep, item?: string): Promise<Outgoing> {
    const { journey, kind } = this.#access.stepped(step);
    const before = journey.before?.(kind, this.user, item, this.carried);
    if (before !== undefined) this.keep(step, await this.send(step, this.#outgoing(before, step)));
    return this.fill(step, item);
  }

  /** Does a step: the page before it, its request, and the one after it. Keeps the cookies and values of the answers. */
  async ask(step: AppStep, item?: string): Promise<AppAnswer> {
    const answer = await this.send(step, await this.prepare(step, item));
    this.keep(step, answer);
    const { journey, kind } = this.#access.stepped(step);
    const after = answer.isDone ? journey.after?.(kind, this.user, this.carried) : undefined;
    if (after !== undefined) this.keep(step, await this.send(step, this.#outgoing(after, step)));
    return answer;
  }

  /** Asks for the page before a step alone. Returns undefined when the step has none. */
  async askBefore(step: AppStep): Promise<AppAnswer | undefined> {
    const { journey, kind } = this.#access.stepped(step);
    const before = journey.before?.(kind, this.user, undefined, this.carried);
    if (before === undefined) return undefined;
    const answer = await this.send(step, this.#outgoing(before, step));
    this.keep(step, answer);
    return answer;
  }

  /** Sends a request and keeps nothing. Rejects with `Inconclusive` when no whole answer arrives. */
  async send(step: AppStep, outgoing: Outgoing): Promise<AppAnswer> {
    const { journey, kind } = this.#access.stepped(step);
    const { origin } = this.#access;
    const reply = await this.#access.send(outgoing.request, outgoing.cookie);
    const { method, path } = outgoing.request;
    if (!reply.complete)
      throw new Inconclusive(`${method} ${path.split('?')[0]} was not answered: ${reply.error ?? 'it ended early'}`);
    const secrets = [...this.carried.values(), ...this.cookiesFor(path).values()];
    return new AppAnswer(outgoing, reply, judge(kind, reply, journey), new URL(origin).host, secrets);
  }

  /** Keeps the cookies and the values to carry of an answer. */
  keep(step: AppStep, { reply, setCookies }: AppAnswer): void {
    const { journey, kind } = this.#access.stepped(step);
    this.#store(setCookies);
    for (const [name, value] of journey.carry?.(kind, reply, name => this.#jar.value(name)) ?? [])
      this.carried.set(name, value);
  }

  #outgoing(request: JourneyRequest | string, step: AppStep): Outgoing {
    if (typeof request === 'string') throw new Inconclusive(`${step} could not be sent: ${request}`);
    return { request, cookie: this.#cookieHeader(request.path) };
  }

  #cookieHeader(path: string): string | undefined {
    const own = this.#jar.header(path);
    if (this.tossed === undefined) return own;
    const { name, value, isFirst } = this.tossed;
    const pair = `${name}=${value}`;
    const pairs = own === undefined ? [pair] : isFirst ? [pair, own] : [own, pair];
    return pairs.join('; ');
  }

  #store(lines: readonly string[]): void {
    this.#jar.store(lines);
    this.#setCookies.push(...lines);
  }
}

/** Replaces a value everywhere in a request: in its cookies, headers, path and body, plain and encoded. */
export function substitute({ request, cookie }: Outgoing, from: string, to: string): Outgoing {
  const pairs = [
    [from, to],
    [encodeURIComponent(from), encodeURIComponent(to)],
  ] as const;
  const swap = (text: string): string => {
    const found = pairs.find(([old]) => text.includes(old));
    return found === undefined ? text : text.replaceAll(found[0], found[1]);
  };
  const { body, headers } = request;
  return {
    request: {
      ...request,
      path: swap(request.path),
      ...(body === undefined ? {} : { body: swap(body) }),
      ...(headers === undefined ? {} : { headers: headers.map(swap) }),
    },
    cookie: cookie === undefined ? undefined : swap(cookie),
  };
}

/** Returns the request without this cookie. */
export function withoutCookie({ request, cookie }: Outgoing, name: string): Outgoing {
  const left = cookie?.split('; ').filter(pair => !pair.startsWith(`${name}=`)) ?? [];
  return { request, cookie: left.length === 0 ? undefined : left.join('; ') };
}

/** Says which cookie of an answer a browser ignores because of its prefix or its Domain (RFC 6265bis sections 4.1.3 and
 * 5.7). Pure. */
export function explainIgnoredCookie(setCookies: readonly string[], host: string): string | undefined {
  for (const { name, attributes } of setCookies.map(readSetCookie)) {
    const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase() ?? '';
    if (domain !== '' && domain !== host && (isIP(host) !== 0 || !host.endsWith(`.${domain}`)))
      return `browsers ignore the cookie ${name}: its Domain is ${domain}, and the app is at ${host}`;
    const isSecure = attributes.has('secure');
    if (/^__secure-/i.test(name) && !isSecure) return `browsers ignore the cookie ${name}, because it is not Secure`;
    const isHost = isSecure && attributes.get('path') === '/' && !attributes.has('domain');
    if (/^__host-/i.test(name) && !isHost)
      return `browsers ignore the cookie ${name}: its prefix needs Secure and Path=/, and no Domain`;
  }
  return undefined;
}
