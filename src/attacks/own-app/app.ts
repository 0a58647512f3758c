import { randomBytes } from 'node:crypto';
import {
  type JourneyMapping,
  type MappedStep,
  placeholdersIn,
  textsOf,
} from '../../simulator/scenario/journey/mapping.js';
import { HttpClient } from '../../simulator/users/http-client.js';
import { mappedJourney } from '../../simulator/users/mapped-journey.js';
import type { UnnamedTries } from '../attack.js';
import { Inconclusive } from '../tools/browser.js';
import {
  type AppAnswer,
  AppBrowser,
  type AppStep,
  explainIgnoredCookie,
  type SteppedJourney,
  substitute,
  withoutCookie,
} from './app-browser.js';

interface AppSpec {
  /** Where the app answers: a loopback address. */
  readonly origin: string;
  readonly mapping: JourneyMapping;
  /** Returns the name of the user with this number, from 1. */
  readonly userName: (number: number) => string;
  /** The session cookie that the scenario names. */
  readonly cookie?: string | undefined;
  readonly timeoutMs: number;
}

/** The cookie or carried value by which the app recognises a user. */
interface Credential {
  readonly kind: 'cookie' | 'carried';
  readonly name: string;
}

/** A user who is logged in and has been seen to read their own item. */
export interface LoggedIn {
  readonly user: string;
  readonly browser: AppBrowser;
  /** An item that only this user has. */
  readonly item: string;
  readonly login: AppAnswer;
  /** The read that showed the item: the control. */
  readonly read: AppAnswer;
}

/** The app under attack, as its journey shows it. */
export class AppUnderAttack {
  readonly mapping: JourneyMapping;
  readonly origin: string;
  readonly #spec: AppSpec;
  readonly #client: HttpClient;
  readonly #stepped: ReadonlyMap<AppStep, SteppedJourney>;
  #users = 0;
  #credentials: readonly Credential[] = [];

  /** Throws `LabError` for an origin that is not a loopback address. */
  constructor(spec: AppSpec) {
    this.#spec = spec;
    this.mapping = spec.mapping;
    this.origin = spec.origin;
    this.#client = new HttpClient(spec.origin, spec.timeoutMs);
    this.#stepped = buildSteppedJourneys(spec.mapping);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  has(step: AppStep): boolean {
    return this.#stepped.has(step);
  }

  /** Returns a browser of a user who has no other session here, as far as the names allow it. It holds no cookie. */
  visitor(user = this.#spec.userName(++this.#users)): AppBrowser {
    const stepped = (step: AppStep): SteppedJourney => {
      const found = this.#stepped.get(step);
      if (found === undefined) throw new Inconclusive(`the journey has no step ${step}`);
      return found;
    };
    return new AppBrowser(
      { origin: this.origin, send: (request, cookie) => this.#client.send(request, cookie), stepped },
      user,
    );
  }

  /** Sends a request that is no step of the journey. Returns the status and the body; undefined when no answer came. */
  async fetch(path: string): Promise<{ readonly status: number; readonly body: string } | undefined> {
    const reply = await this.#client.send({ method: 'GET', path }, undefined);
    return reply.complete ? { status: reply.status ?? 0, body: reply.body } : undefined;
  }

  /**
   * Logs a user in, adds an item and reads it. This is the control of every attack. Rejects with `Inconclusive` when any
   * step is not done, or when the read does not show this user and the item.
   */
  async logIn(browser = this.visitor()): Promise<LoggedIn> {
    const login = expectDone(await browser.ask('login'), 'log in');
    const ignored = explainIgnoredCookie(login.setCookies, new URL(this.origin).hostname);
    if (ignored !== undefined) throw new Inconclusive(`${control} ${ignored}`);
    return this.proveLoggedIn(browser, login);
  }

  /** Shows that a login has worked: adds an item and reads it. Rejects as `logIn` does. */
  async proveLoggedIn(browser: AppBrowser, login: AppAnswer): Promise<LoggedIn> {
    const { user } = browser;
    const item = await addItem(browser);
    const read = expectDone(await browser.ask('read'), 'read');
    const { identity, items = [] } = read.judged;
    if (!items.includes(item)) throw new Inconclusive(`${control} the read did not show the item that was added`);
    if (typeof identity === 'string' && identity !== user)
      throw new Inconclusive(`${control} the read named "${identity}", expected "${user}"`);
    return { user, browser, item, login, read };
  }

  /**
   * Adds a further item of a user and returns the page of the cart. A page without this item proves nothing about other
   * items. The tries are then unclear.
   */
  async readCart({ browser }: LoggedIn, tries: UnnamedTries): Promise<string> {
    const item = await addItem(browser);
    const read = await browser.ask('read');
    if (!read.reply.body.includes(item))
      tries.noteUnclear(`${control} the read did not show a further item of the user`);
    return read.reply.body;
  }

  /**
   * Finds by which cookies or carried values the app recognises a user: without one of them it answers as without a
   * login. Rejects with `Inconclusive` when the journey does not fit the app.
   */
  async study(): Promise<void> {
    const anonymous = await this.#readAnonymously();
    if (anonymous.judged.identity !== null)
      throw new Inconclusive(`${control} ${anonymous.describe()} without a login, which is not what anonymous says`);
    const { browser, user, item } = await this.logIn();
    const found: Credential[] = [];
    const candidates = this.#candidates(browser);
    for (const candidate of candidates) {
      const read = browser.fill('read');
      const value = this.#valueIn(browser, candidate);
      const without =
        candidate.kind === 'cookie'
          ? withoutCookie(read, candidate.name)
          : substitute(read, value ?? '', 'x'.repeat(value?.length ?? 1));
      const answer = await browser.send('read', without);
      if (!showsMember(answer, { user, item })) found.push(candidate);
    }
    if (found.length === 0) throw new Inconclusive(`${control} ${explainNoCredential(candidates)}`);
    const { cookie } = this.#spec;
    if (cookie !== undefined && !found.some(({ name }) => name === cookie))
      throw new Inconclusive(
        `${control} users.cookie names "${cookie}", but the app recognises a user by ${found.map(each => each.name).join(', ')}`,
      );
    this.#credentials = [...found].sort((a, b) => Number(b.name === cookie) - Number(a.name === cookie));
  }

  /** All credentials that a read needs, the session first. */
  get credentials(): readonly Credential[] {
    return this.#credentials;
  }

  /** The credential that holds the session. */
  get session(): Credential {
    const [first] = this.#credentials;
    if (first === undefined) throw new Inconclusive('it is not known by what the app recognises a user');
    return first;
  }

  /** Returns the value of the session credential that a browser holds; undefined when it holds none. */
  sessionOf(browser: AppBrowser): string | undefined {
    return this.#valueIn(browser, this.session);
  }

  /** Returns the value of the session credential of a user who is logged in. */
  tokenOf({ browser }: LoggedIn): string {
    const token = this.sessionOf(browser);
    if (token === undefined) throw new Inconclusive(`after the login there is no ${this.session.name}`);
    return token;
  }

  /** Reads with another value of the session credential. Everything else is as the browser would send it. */
  readWith(member: LoggedIn, token: string): Promise<AppAnswer> {
    const read = substitute(member.browser.fill('read'), this.tokenOf(member), token);
    return member.browser.send('read', read);
  }

  #valueIn(browser: AppBrowser, { kind, name }: Credential): string | undefined {
    return kind === 'carried'
      ? browser.carried.get(name)
      : browser.cookiesFor(this.mapping.read.request.path).get(name);
  }

  #candidates(browser: AppBrowser): Credential[] {
    const names = textsOf(this.mapping.read.request).flatMap(placeholdersIn);
    const carried = [...new Set(names)].filter(name => browser.carried.has(name));
    return [
      ...[...browser.cookiesFor(this.mapping.read.request.path).keys()].map(
        name => ({ kind: 'cookie', name }) as const,
      ),
      ...carried.map(name => ({ kind: 'carried', name }) as const),
    ];
  }

  /** Reads without a login. A value that only a login gives, such as a bearer token, is replaced by a worthless one. */
  async #readAnonymously(): Promise<AppAnswer> {
    const visitor = this.visitor();
    const names = textsOf(this.mapping.read.request).flatMap(placeholdersIn);
    const before = this.mapping.read.before === undefined ? undefined : await visitor.askBefore('read');
    if (before?.judged.identity === null) return before;
    for (const name of Object.keys(this.mapping.carry))
      if (names.includes(name) && !visitor.carried.has(name)) visitor.carried.set(name, 'none');
    const answer = await visitor.send('read', visitor.fill('read'));
    visitor.keep('read', answer);
    return answer;
  }
}

const control = 'the control did not work:';
const addsMax = 3;

/** Says why no credential is necessary. Without all of them, the app has answered as without a login. */
function explainNoCredential(candidates: readonly Credential[]): string {
  const names = candidates.map(({ name }) => name).join(', ');
  if (candidates.length < 2) return "a read without cookies and carried values still shows the user's items";
  return `several of ${names} open a session alone, so no single one can be tested: log in without "remember me"`;
}

function expectDone(answer: AppAnswer, what: string): AppAnswer {
  if (answer.isDone) return answer;
  const more = answer.judged.error === undefined ? '' : ` (${answer.judged.error})`;
  throw new Inconclusive(`${control} a user could not ${what}: ${answer.describe()}${more}`);
}

/** Adds an item and returns it. An app may refuse an add for a reason of its own, so it gets more than one. */
async function addItem(browser: AppBrowser): Promise<string> {
  for (let left = addsMax; ; left--) {
    const item = newItem();
    const add = await browser.ask('add', item);
    if (add.isDone) return item;
    if (left === 1) expectDone(add, 'add an item');
  }
}

/** Returns the name of an item that no other user has. It is short, so that no mask cuts it. */
export function newItem(): string {
  return `hf-${randomBytes(6).toString('hex')}`;
}

/** Whether an answer shows that this user is logged in: it names the user, or shows an item that only this user has. */
export function showsMember(answer: AppAnswer, { user, item }: Pick<LoggedIn, 'user' | 'item'>): boolean {
  return answer.judged.identity === user || answer.reply.body.includes(item);
}

/** Whether an answer shows that any user is logged in: the read was done, and the app did not answer as anonymous. */
export function showsAnyUser(answer: AppAnswer): boolean {
  return answer.isDone && answer.judged.identity !== null;
}

/**
 * Adds one try to use a session. Success: the answer shows the user. An answer that is neither a success nor a refusal
 * makes the attack inconclusive. `earlier`: the answers that led to this one, as evidence.
 */
export function addUse(
  tries: UnnamedTries,
  what: string,
  answer: AppAnswer,
  isAccepted: boolean,
  ...earlier: readonly AppAnswer[]
): void {
  tries.add(what, isAccepted, ...earlier, answer);
  if (!isAccepted && !answer.isRefusal)
    tries.noteUnclear(`${answer.describe()}, which is neither a refusal nor a success`);
}

function buildSteppedJourneys(mapping: JourneyMapping): ReadonlyMap<AppStep, SteppedJourney> {
  const own = mappedJourney(mapping);
  const steps = (['login', 'add', 'read', 'whoami', 'logout'] as const).flatMap(kind =>
    mapping[kind] === undefined ? [] : [[kind, { journey: own, kind }] as const],
  );
  const extra = (step: 'password' | 'refresh', kind: 'logout' | 'login', mapped: MappedStep | undefined) =>
    mapped === undefined ? [] : [[step, { journey: mappedJourney({ ...mapping, [kind]: mapped }), kind }] as const];
  return new Map<AppStep, SteppedJourney>([
    ...steps,
    // `from: login` of a carried value also takes the answer of a refresh: it replaces what the login gave.
    ...extra('refresh', 'login', mapping.refresh),
    ...extra('password', 'logout', mapping.password),
  ]);
}
