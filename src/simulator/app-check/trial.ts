import { parseJson } from '../../shared/text.js';
import type { OperationKind } from '../history/records.js';
import { makeNonce, tokenOf } from '../plan/planned-user.js';
import { type JourneyMapping, stepOf } from '../scenario/journey/mapping.js';
import { UserBrowser } from '../users/browser.js';
import { HttpClient } from '../users/http-client.js';
import type { AppReply } from '../users/journey.js';
import { mappedJourney, nothingToCarry } from '../users/mapped-journey.js';
import { type Judgement, judge } from '../users/outcome.js';
import {
  type Advice,
  describeHead,
  explainAnonymous,
  explainAnswer,
  explainItems,
  type TriedExchange,
} from './advice.js';

/** One step that was tried once. */
export interface TriedStep {
  /** The step, or a description: `login`, `read, without a login`. */
  readonly what: string;
  readonly exchange: TriedExchange | undefined;
  /** Absent when the step fits. */
  readonly advice?: Advice;
  /** A remark about a step that fits. */
  readonly note?: string;
}

/** Prefix of the items of the first simulated user, whatever its name is. */
const tokenPrefix = 'user-1.';

export interface TrialOptions {
  /** Name of the first simulated user of every run. An app with accounts must know it. */
  readonly user: string;
  readonly timeoutMs: number;
  /** The session cookie that the scenario names (`users.cookie`). */
  readonly cookie?: string | undefined;
}

/**
 * Tries each step of a journey once, as one user, and says what does not fit. It stops after a login that does not fit,
 * because the other steps would then fail, too.
 */
export async function tryJourney(origin: string, mapping: JourneyMapping, options: TrialOptions): Promise<TriedStep[]> {
  const client = new HttpClient(origin, options.timeoutMs);
  try {
    return await new Trial(origin, mapping, options, client).run();
  } finally {
    await client.close();
  }
}

class Trial {
  readonly #mapping: JourneyMapping;
  readonly #journey: ReturnType<typeof mappedJourney>;
  readonly #client: HttpClient;
  readonly #origin: string;
  readonly #user: string;
  readonly #cookie: string | undefined;
  /** Named like the items of a run, so that later runs ignore it if the app keeps it. */
  readonly #token: string;
  /** A pattern or path that was made for a cart of one item can miss the others. */
  readonly #secondToken: string;
  readonly #steps: TriedStep[] = [];
  /** The exchange that is shown for a step: that of its reply, otherwise the last one. */
  #exchange: TriedExchange | undefined;
  #asked: TriedExchange[] = [];
  /** All exchanges of the steps so far. */
  readonly #asks = new Map<OperationKind, readonly TriedExchange[]>();
  /** Whether `anonymous` matches the app's answer without a login. */
  #knowsAnonymous = false;

  constructor(origin: string, mapping: JourneyMapping, { user, cookie }: TrialOptions, client: HttpClient) {
    const nonce = makeNonce(Math.random);
    this.#token = tokenOf(`${tokenPrefix}0`, nonce);
    this.#secondToken = tokenOf(`${tokenPrefix}1`, nonce);
    this.#user = user;
    this.#cookie = cookie;
    this.#origin = origin;
    this.#mapping = mapping;
    this.#client = client;
    this.#journey = mappedJourney(mapping, cookie);
  }

  async run(): Promise<TriedStep[]> {
    await this.#tryAnonymous();
    const browser = this.#browser();
    if ((await this.#step(browser, 'login')) === undefined) return this.#steps;
    this.#checkCookie(browser);
    const added = await this.#step(browser, 'add');
    const isRead = await this.#read(browser, 'read', [this.#token]);
    if (added !== undefined && isRead) await this.#addSecond(browser);
    if (this.#mapping.whoami !== undefined) await this.#step(browser, 'whoami');
    if (this.#mapping.remove !== undefined && (await this.#step(browser, 'remove')) !== undefined)
      await this.#read(browser, 'read, after remove', []);
    if (this.#mapping.logout !== undefined) await this.#logOut(browser);
    return this.#steps;
  }

  #browser(): UserBrowser {
    const send: HttpClient['send'] = async (request, cookie) => {
      const reply = await this.#client.send(request, cookie);
      this.#exchange = { request, reply };
      this.#asked.push(this.#exchange);
      return reply;
    };
    return new UserBrowser(this.#user, this.#origin, this.#journey, { send });
  }

  async #tryAnonymous(): Promise<void> {
    const browser = this.#browser();
    const asked = await browser.ask('read', undefined);
    const reply = asked.error?.startsWith(nothingToCarry) ? await this.#readWithWorthlessToken(browser) : asked;
    const { identity } = judge('read', reply, this.#journey);
    this.#knowsAnonymous = identity === null;
    const advice = identity === null ? undefined : explainAnonymous(reply);
    this.#note('read, without a login', reply, advice);
  }

  /** Sends the read with a worthless value where it carries what only a login gives, such as a bearer token. */
  async #readWithWorthlessToken(browser: UserBrowser): Promise<AppReply> {
    const carried = new Map(Object.keys(this.#mapping.carry).map(name => [name, 'none']));
    const request = this.#journey.request('read', this.#user, undefined, carried);
    return typeof request === 'string'
      ? browser.ask('read', undefined)
      : browser.askAgain({ request, cookie: undefined });
  }

  async #addSecond(browser: UserBrowser): Promise<void> {
    if ((await this.#step(browser, 'add', 'add, a second item', this.#secondToken)) === undefined) return;
    await this.#read(browser, 'read, with two items', [this.#token, this.#secondToken]);
  }

  /** Tries a step. Returns the judgement, or undefined when the step does not fit. */
  async #step(
    browser: UserBrowser,
    kind: OperationKind,
    what: string = kind,
    token = this.#token,
  ): Promise<Judgement | undefined> {
    this.#exchange = undefined;
    this.#asked = [];
    const needsToken = kind === 'add' || kind === 'remove';
    const reply = await browser.ask(kind, needsToken ? token : undefined);
    // A request after the step is shown only if it fails.
    this.#exchange = this.#asked.find(each => each.reply === reply) ?? this.#exchange;
    this.#asks.set(kind, this.#asked);
    const judged = judge(kind, reply, this.#journey);
    const advice = explainAnswer(kind, { ...this.#known(reply), judged });
    this.#note(what, reply, advice);
    return advice === undefined ? judged : undefined;
  }

  /** Checks that the session cookie exists. If the app never set it, a run could not see that a login kept it. */
  #checkCookie(browser: UserBrowser): void {
    if (this.#cookie === undefined || browser.session !== undefined) return;
    const advice = {
      at: ['login', 'request'],
      problem: `after the login there is no cookie "${this.#cookie}", which users.cookie names`,
      hint: 'users.cookie is the name of the cookie that holds the session: is it spelled right, and set with Path=/?',
    };
    this.#steps.push({ what: 'session cookie', exchange: this.#exchange, advice });
  }

  /** Returns whether the cart is read as the journey says, with these items and without the one that was removed. */
  async #read(browser: UserBrowser, what: string, wanted: readonly string[]): Promise<boolean> {
    this.#exchange = undefined;
    const reply = await browser.ask('read', undefined);
    const judged = judge('read', reply, this.#journey);
    const known = { ...this.#known(reply), judged };
    const advice = explainAnswer('read', known) ?? explainItems(known, wanted);
    this.#note(what, reply, advice);
    return advice === undefined;
  }

  async #logOut(browser: UserBrowser): Promise<void> {
    const held = browser.snapshot('replay');
    if ((await this.#step(browser, 'logout')) === undefined || held === undefined) return;
    const what = held.cookie === undefined ? 'token' : 'cookie';
    const reply = await browser.askAgain(held);
    const note = this.#describeReplay(what, reply);
    const step = { what: `read, with the ${what} from before`, exchange: this.#exchange };
    this.#steps.push({ ...step, ...(note === undefined ? {} : { note }) });
  }

  #describeReplay(what: string, reply: AppReply): string | undefined {
    const { outcome, identity, items = [] } = judge('replay', reply, this.#journey);
    if (outcome === 'ok') return undefined;
    if (!this.#knowsAnonymous)
      return 'whether the logout ended the session is not known: anonymous does not fit yet (first line)';
    if (typeof identity === 'string' || items.length > 0)
      return `the ${what} from before the logout is still accepted: a run counts it as users.logoutNotHonoured`;
    return `${describeHead(reply)} is neither anonymous nor the cart: a run counts it as a failed request`;
  }

  #known(reply: AppReply) {
    return {
      user: this.#user,
      token: this.#token,
      mapping: this.#mapping,
      reply,
      last: this.#exchange,
      asks: this.#asks,
    };
  }

  /** Notes a tried step. If its request was not sent, it shows the exchange of the page before it. */
  #note(what: string, reply: AppReply, advice: Advice | undefined): void {
    const exchange = this.#exchange ?? { reply };
    this.#steps.push({ what, exchange, ...(advice === undefined ? {} : { advice }) });
  }
}

/** Returns the values that must not be shown. These are values of requests under names such as `password`, values of
 * answers under names such as `accessToken`, and every cookie. Added items may be shown, whatever their name. */
export function findSecrets(mapping: JourneyMapping, exchange: TriedExchange): string[] {
  const fields = (['login', 'add', 'remove', 'logout'] as const).flatMap(kind => {
    const request = stepOf(mapping, kind)?.request;
    return [...Object.entries(request?.form ?? {}), ...jsonFields(request?.json)];
  });
  const named = fields.filter(([name]) => /pass|secret|pin\b|otp|api.?key/i.test(name)).map(([, value]) => value);
  const told = jsonFields(parseJson(exchange.reply.body)).filter(
    ([name, value]) => /token|jwt|pass|secret|session/i.test(name) && !value.includes(tokenPrefix),
  );
  const cookies = [exchange.reply.headers['set-cookie'] ?? []]
    .flat()
    .map(line => /^[^=]*=([^;]*)/.exec(line)?.[1] ?? '');
  return [...named, ...told.map(([, value]) => value), ...cookies].filter(
    value => value.length >= 4 && !value.includes('{'),
  );
}

function jsonFields(value: unknown): [string, string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]): [string, string][] =>
    typeof each === 'string' ? [[name, each]] : jsonFields(each),
  );
}
