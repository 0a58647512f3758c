import { notApplicable, UnnamedTries } from '../../attack.js';
import { readSetCookie, type SetCookie } from '../../tools/browser.js';
import { type AppUnderAttack, type LoggedIn, newItem } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer } from '../app-browser.js';
import type { Outgoing } from '../masked-exchange.js';

/**
 * A page of another site makes the browser of a victim send a form. The page knows no value that the app gave to the
 * victim. The browser adds the cookies that have no SameSite=Lax or Strict. Success: the item is in the victim's cart.
 */
export const crossSitePost: AppAttack = {
  title:
    'an add from a form of another site: each type of a form, foreign origins, no CSRF token or that of another session',
  asvs: ['3.5.1'],
  run: tryForms,
};

interface SentForm {
  readonly what: string;
  readonly item: string;
  readonly answer: AppAnswer;
}

async function tryForms(app: AppUnderAttack) {
  if (app.session.kind !== 'cookie')
    return notApplicable('a browser does not send the session by itself: it is no cookie');
  const tries = new UnnamedTries();
  const victim = await app.logIn();
  const attacker = await app.logIn();
  const held = victim.browser.cookiesFor(app.mapping.add.request.path);
  const kept = buildCrossSiteCookies(victim.browser.setCookies.map(readSetCookie), held);
  const tokens = [
    new Map<string, string>(),
    ...(Object.keys(app.mapping.carry).length === 0 ? [] : [attacker.browser.carried]),
  ];
  for (const form of listFormRequests(app.mapping.add.request)) {
    const sent: SentForm[] = [];
    for (const carried of tokens)
      for (const origin of listPageOrigins(app.origin))
        sent.push(await sendForm(app, victim, { form, carried, cookie: kept, origin, site: 'cross-site' }));
    const cart = await app.readCart(victim, tries);
    // The status says nothing: the cart of the victim does.
    for (const { what, item, answer } of sent) {
      const { exchange } = answer;
      tries.add(`a form of another site changed the session of the victim (${what})`, cart.includes(item), {
        exchange,
      });
    }
    // A further type could end the app, and the success with it.
    if (tries.hasSucceeded) break;
  }
  const isKeptBack = kept?.includes(`${app.session.name}=`) !== true;
  return { ...tries.conclude(), ...(isKeptBack ? { note: await describeSibling(app, victim) } : {}) };
}

interface ForeignForm {
  readonly form: FormRequest;
  /** The carried values that the page knows. It knows none of the victim. */
  readonly carried: ReadonlyMap<string, string>;
  readonly cookie: string | undefined;
  readonly origin: string;
  readonly site: 'cross-site' | 'same-site';
}

async function sendForm(app: AppUnderAttack, victim: LoggedIn, foreign: ForeignForm): Promise<SentForm> {
  const { form, carried, cookie, origin, site } = foreign;
  const page = victim.browser.copy();
  for (const name of Object.keys(app.mapping.carry)) page.carried.set(name, carried.get(name) ?? '');
  const item = newItem();
  const fetchHeaders = ['origin', origin, 'sec-fetch-site', site, 'sec-fetch-mode', 'navigate'];
  const headers = ['content-type', form.type, ...fetchHeaders];
  const request = { ...form.build(page.fill('add', item).request), headers };
  const token = carried.size === 0 ? 'no CSRF token' : 'the CSRF token of the attacker';
  const what = `${form.type.split(';')[0]}, origin ${origin}, ${token}`;
  return { what, item, answer: await page.send('add', { request, cookie }) };
}

/** Says what a page of a sibling host could do. The browser sends it the cookie in spite of SameSite. */
async function describeSibling(app: AppUnderAttack, victim: LoggedIn): Promise<string> {
  const [form] = listFormRequests(app.mapping.add.request);
  if (form === undefined) return 'SameSite keeps the cookie back';
  const { cookie } = victim.browser.fill('add', victim.item);
  const carried = new Map<string, string>();
  const sibling = { form, carried, cookie, origin: 'https://sibling.example', site: 'same-site' } as const;
  const { item } = await sendForm(app, victim, sibling);
  const isOpen = (await app.readCart(victim, new UnnamedTries())).includes(item);
  return isOpen
    ? 'only SameSite keeps the cookie back: the app takes the same form from a sibling host (Sec-Fetch-Site: same-site)'
    : 'SameSite keeps the cookie back; the app also refuses the same form from a sibling host, which gets the cookie';
}

export const stateChangeByGet: AppAttack = {
  title: 'an add as a GET, which a link of another site can send, with the cookies that the browser adds',
  asvs: ['3.5.3'],
  run: tryLinks,
};

async function tryLinks(app: AppUnderAttack) {
  if (app.session.kind !== 'cookie')
    return notApplicable('a browser does not send the session by itself: it is no cookie');
  const tries = new UnnamedTries();
  const victim = await app.logIn();
  const { browser } = victim;
  const forged = browser.copy();
  for (const name of Object.keys(app.mapping.carry)) forged.carried.set(name, '');
  const item = newItem();
  const { request } = forged.fill('add', item);
  const cookie = buildNavigationCookies(browser.setCookies.map(readSetCookie), browser.cookiesFor(request.path));
  const headers = ['sec-fetch-site', 'cross-site', 'sec-fetch-mode', 'navigate'];
  const fields = new URLSearchParams([...fieldsOf(request)]).toString();
  const joint = request.path.includes('?') ? '&' : '?';
  const path = fields === '' ? request.path : `${request.path}${joint}${fields}`;
  for (const method of ['GET', 'GET with _method'] as const) {
    const more = method === 'GET' ? '' : `${path.includes('?') ? '&' : '?'}_method=${request.method}`;
    const answer = await forged.send('add', { request: { method: 'GET', path: path + more, headers }, cookie });
    const { exchange } = answer;
    const isChanged = (await app.readCart(victim, tries)).includes(item);
    tries.add(`a link of another site changed the session of the victim (${method})`, isChanged, { exchange });
  }
  return tries.conclude();
}

/*
 * Requests that a page of another site can make a browser send. Pure.
 */

type MappedRequest = AppUnderAttack['mapping']['add']['request'];
type JourneyRequest = Outgoing['request'];

/** Lists origins of such a page: of another site, of a page without an origin, such as a sandboxed frame, and of sites
 * with names that begin or end like the app's. An app that compares only a part of the text accepts those. */
function listPageOrigins(appOrigin: string): readonly string[] {
  const { protocol, host } = new URL(appOrigin);
  return ['https://evil.example', 'null', `${protocol}//${host}.evil.example`, `${protocol}//evil${host}`];
}

/** Returns the Cookie header of a form that another site sends. Undefined when the browser sends no cookie. */
export function buildCrossSiteCookies(
  set: readonly SetCookie[],
  held: ReadonlyMap<string, string>,
): string | undefined {
  return buildCookieHeader(set, held, ['lax', 'strict']);
}

/** Returns the Cookie header of a link that another site shows: the browser also sends cookies with SameSite=Lax. */
export function buildNavigationCookies(
  set: readonly SetCookie[],
  held: ReadonlyMap<string, string>,
): string | undefined {
  return buildCookieHeader(set, held, ['strict']);
}

/** Leaves out the cookies with a SameSite of `keptBack`. */
function buildCookieHeader(set: readonly SetCookie[], held: ReadonlyMap<string, string>, keptBack: readonly string[]) {
  const pairs = [...held].filter(([name]) => {
    const last = set.findLast(cookie => cookie.name === name);
    return !keptBack.includes(last?.attributes.get('samesite')?.toLowerCase() ?? '');
  });
  return pairs.length === 0 ? undefined : pairs.map(([name, value]) => `${name}=${value}`).join('; ');
}

interface FormRequest {
  /** The Content-Type. A form of another site can send it without a preflight. */
  readonly type: string;
  build(request: JourneyRequest): JourneyRequest;
}

const boundary = 'holdfast-form';

/** Lists the ways in which a form can send this request, the likeliest first. A form knows POST only. */
export function listFormRequests({ method, json }: MappedRequest): readonly FormRequest[] {
  const overridden: [string, string][] = method === 'POST' ? [] : [['_method', method]];
  const fields = (request: JourneyRequest): [string, string][] => [...overridden, ...fieldsOf(request)];
  const post = (request: JourneyRequest, body: string): JourneyRequest => ({
    method: 'POST',
    path: request.path,
    body,
  });
  const encoded: FormRequest = {
    type: 'application/x-www-form-urlencoded',
    build: request => post(request, new URLSearchParams(fields(request)).toString()),
  };
  const text: FormRequest = { type: 'text/plain', build: request => post(request, request.body ?? '') };
  const parts: FormRequest = {
    type: `multipart/form-data; boundary=${boundary}`,
    build: request => post(request, buildMultipart(fields(request))),
  };
  return json === undefined ? [encoded, text, parts] : [text, encoded, parts];
}

function buildMultipart(fields: readonly (readonly [string, string])[]): string {
  const parts = fields.map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join('')}--${boundary}--\r\n`;
}

/** Returns the fields of a body: those of a form, or of a JSON object. */
function fieldsOf({ body = '' }: JourneyRequest): [string, string][] {
  const json = parseJson(body);
  if (typeof json !== 'object' || json === null) return [...new URLSearchParams(body)];
  // A part that is a map stays JSON. GraphQL takes its variables in this form.
  return Object.entries(json).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
