import { notApplicable, UnnamedTries } from '../../attack.js';
import { cookieBytesMax, Inconclusive, readSetCookie, type SetCookie } from '../../tools/browser.js';
import { type AppUnderAttack, type LoggedIn, showsAnyUser, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer, AppBrowser } from '../app-browser.js';

export const cookieAttributes: AppAttack = {
  title:
    'nothing: the Set-Cookie of the session is read for HttpOnly, SameSite, Domain, its size, and the rules of its prefix',
  asvs: ['3.3.1', '3.3.2', '3.3.3', '3.3.4', '3.3.5'],
  run: tryAttributes,
};

async function tryAttributes(app: AppUnderAttack) {
  const names = app.credentials.filter(({ kind }) => kind === 'cookie').map(({ name }) => name);
  if (names.length === 0) return notApplicable('the session is not in a cookie');
  const tries = new UnnamedTries();
  const browser = app.visitor();
  const page = await browser.askBefore('login');
  const { login, read } = await app.logIn(browser);
  const answers = [...(page === undefined ? [] : [page]), login, read];
  const set = answers.flatMap(answer => answer.setCookies.map(line => ({ cookie: readSetCookie(line), answer })));
  const own = set.filter(({ cookie }) => names.includes(cookie.name) && cookie.value !== '');
  if (own.length === 0) throw new Inconclusive('no answer before or at the login set the session cookie');
  for (const { cookie, answer } of own) {
    const checks = listChecks(cookie);
    const flaws = checks.filter(([, isFlaw]) => isFlaw).map(([what]) => what);
    tries.addMany(checks.length, `the cookie ${cookie.name}: ${flaws.join(', ')}`, flaws.length > 0, answer);
  }
  return { ...tries.conclude(), note: 'over plain HTTP nothing shows whether the cookie is Secure behind TLS' };
}

/** Lists what is checked of a cookie, and whether it is wrong. */
function listChecks({ name, value, attributes }: SetCookie): readonly (readonly [what: string, isFlaw: boolean])[] {
  const sameSite = attributes.get('samesite')?.toLowerCase();
  const domain = attributes.get('domain') ?? '';
  return [
    ['no HttpOnly (3.3.4), so that a script can read it', !attributes.has('httponly')],
    ['no SameSite=Lax or Strict (3.3.2), so that other sites can use it', sameSite !== 'lax' && sameSite !== 'strict'],
    [`Domain=${domain} (3.3.3), so that other hosts of the domain get it`, domain !== ''],
    ['longer than browsers accept (3.3.5)', Buffer.byteLength(name) + Buffer.byteLength(value) > cookieBytesMax],
  ];
}

/**
 * Another host of the domain can set a cookie under the name that the app uses. The browser then sends both. An app that
 * takes one of them everywhere acts for one user. An app that mixes them, or logs the planted session in, is broken.
 */
export const cookieTossing: AppAttack = {
  title: 'two cookies of one name, in both orders: at a read, at an add and at a login',
  asvs: ['3.3.3', '7.2.4'],
  run: tryTossing,
};

async function tryTossing(app: AppUnderAttack) {
  if (app.session.kind !== 'cookie') return notApplicable('the session is not in a cookie');
  const tries = new UnnamedTries();
  const victim = await app.logIn();
  const attacker = await app.logIn();
  if (victim.user === attacker.user) throw new Inconclusive('this needs two users: give users.names more names');
  for (const isFirst of [true, false]) await tryToMix(app, tries, victim, attacker, isFirst);
  // If one planted cookie is enough, two show nothing new: `fixation` reports that.
  const isFixed = await tryToPlant(app, new UnnamedTries(), 'alone');
  if (!isFixed) for (const place of ['first', 'last'] as const) await tryToPlant(app, tries, place);
  const note = 'a cookie of another host can still win: only the prefix __Host- keeps it out, which needs TLS';
  return { ...tries.conclude(), ...(/^__host-/i.test(app.session.name) ? {} : { note }) };
}

/** Adds an item with both cookies. The answers to a read and to the add must be for one and the same user. */
async function tryToMix(
  app: AppUnderAttack,
  tries: UnnamedTries,
  victim: LoggedIn,
  attacker: LoggedIn,
  isFirst: boolean,
): Promise<void> {
  const both = victim.browser.copy();
  both.tossed = { name: app.session.name, value: app.tokenOf(attacker), isFirst };
  const read = await both.send('read', both.fill('read'));
  const item = `${victim.item}-${isFirst ? 'first' : 'last'}`;
  const add = await both.send('add', both.fill('add', item));
  const cartOf = async ({ browser }: LoggedIn) => (await browser.send('read', browser.fill('read'))).reply.body;
  const got = { victim: (await cartOf(victim)).includes(item), attacker: (await cartOf(attacker)).includes(item) };
  const reader = showsMember(read, victim) ? 'victim' : showsMember(read, attacker) ? 'attacker' : undefined;
  if (reader === undefined && !read.isRefusal) tries.noteUnclear(`${read.describe()} with two cookies`);
  const isMixed =
    (got.victim && got.attacker) || (reader === 'victim' && got.attacker) || (reader === 'attacker' && got.victim);
  tries.add('with two cookies a read is for one user and an add for the other', isMixed, read, add);
}

/**
 * Logs a victim in with a planted cookie of a visitor, alone or beside the own cookie of the victim. The planted session
 * must stay without a login. Returns whether it is logged in.
 */
async function tryToPlant(
  app: AppUnderAttack,
  tries: UnnamedTries,
  place: 'alone' | 'first' | 'last',
): Promise<boolean> {
  const attacker = app.visitor();
  await attacker.askBefore('login');
  const planted = app.sessionOf(attacker);
  if (planted === undefined) return false;
  const victim = app.visitor();
  if (place === 'alone') victim.plant(app.session.name, planted);
  else {
    await victim.askBefore('login');
    victim.tossed = { name: app.session.name, value: planted, isFirst: place === 'first' };
  }
  const login = await victim.ask('login');
  const read = await attacker.send('read', attacker.fill('read'));
  tries.add('a login with two cookies logs the planted session in', showsAnyUser(read), login, read);
  return showsAnyUser(read);
}

export const sessionInUrl: AppAttack = {
  title: 'the session id in the URL: looked for in every answer, and sent as a query field and as a path parameter',
  asvs: ['14.2.1'],
  run: tryUrls,
};

async function tryUrls(app: AppUnderAttack) {
  const tries = new UnnamedTries();
  const member = await app.logIn();
  const token = app.tokenOf(member);
  for (const answer of [member.login, member.read])
    tries.add('a URL in an answer holds the session id', holdsInUrl(answer, token), answer);
  for (const path of listPaths(app, member.browser, token)) {
    const { request } = member.browser.fill('read');
    const bare = app.visitor(member.user);
    const headers = (request.headers ?? []).filter((_, at, all) => !all[at - (at % 2) + 1]?.includes(token));
    const answer = await bare.send('read', { request: { ...request, path, headers }, cookie: undefined });
    // An app may answer unknown paths and fields with any page: only the data of the user counts.
    tries.add('the app takes the session id from the URL', showsMember(answer, member), answer);
  }
  return tries.conclude();
}

/** Lists the paths of a read that hold the session id, by names that frameworks use and by that of the app. */
function listPaths(app: AppUnderAttack, browser: AppBrowser, token: string): readonly string[] {
  const { path } = browser.fill('read').request;
  const [head = '', query] = path.split('?');
  const { kind, name } = app.session;
  const own = kind === 'cookie' ? [name] : [name, 'access_token', 'token', 'jwt'];
  const names = [...new Set([...own, 'PHPSESSID', 'sid', 'session'])];
  const value = encodeURIComponent(token);
  const joined = (field: string) => `${head}?${query === undefined ? '' : `${query}&`}${field}=${value}`;
  const rest = query === undefined ? '' : `?${query}`;
  return [...names.map(joined), `${head};${kind === 'cookie' ? name.toLowerCase() : 'jsessionid'}=${value}${rest}`];
}

/** Whether the Location header or a link in the body holds the token. */
function holdsInUrl({ reply }: AppAnswer, token: string): boolean {
  const forms = [token, encodeURIComponent(token)];
  const location = String(reply.headers.location ?? '');
  const links = [...reply.body.matchAll(/\b(?:href|src|action)\s*=\s*["']?([^"'\s>]+)/gi)].map(([, url = '']) => url);
  return [location, ...links].some(url => forms.some(form => url.includes(form)));
}
