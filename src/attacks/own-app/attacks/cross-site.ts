import { notApplicable, UnnamedTries } from '../../attack.js';
import { readSetCookie } from '../../tools/browser.js';
import { type AppUnderAttack, type LoggedIn, newItem } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer } from '../app-browser.js';
import {
  buildCrossSiteCookies,
  buildNavigationCookies,
  type FormRequest,
  fieldsOf,
  listFormRequests,
  listPageOrigins,
} from '../tools/cross-site.js';

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
