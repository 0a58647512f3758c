import { hash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JourneyMapping } from '#src/simulator/scenario/journey/mapping.js';
import type { AppCall, AppSaid } from './served.js';

/** What can be wrong with the app: one defect for each way in which an attack succeeds. */
export type CookieDefect =
  | 'keep-id'
  | 'take-any-id'
  | 'two-sessions'
  | 'cookie-only-logout'
  | 'late-write'
  | 'no-httponly'
  | 'with-domain'
  | 'other-domain'
  | 'mixed-cookies'
  | 'planted-cookie'
  | 'open-to-sites'
  | 'foreign-csrf'
  | 'origin-by-prefix'
  | 'origin-by-suffix'
  | 'adds-by-get'
  | 'id-in-query'
  | 'id-in-link'
  | 'counted-ids'
  | 'digest-ids'
  | 'repeated-ids'
  | 'old-password-sessions';

interface Kept {
  readonly user: string;
  readonly cart: readonly string[];
  readonly csrf: string;
}

const addMs = 15;

/** An app with sessions in cookies, a CSRF token in a header field, and passwords that can be changed. */
export function makeCookieApp(defect?: CookieDefect): (call: AppCall) => Promise<AppSaid> {
  const sessions = new Map<string, Kept>();
  const adopted = new Set<string>();
  const passwords = new Map<string, string>();
  const is = (name: CookieDefect) => defect === name;
  const cookie = 'sid';
  let made = 0;

  const newId = (): string => {
    made += 1;
    if (is('counted-ids')) return `session-${1000 + made}`;
    if (is('digest-ids')) return hash('md5', String(made));
    if (is('repeated-ids')) return hash('sha256', `salt ${made % 40}`);
    return randomBytes(24).toString('base64url');
  };
  const open = (user: string, id = newId()): string => {
    sessions.set(id, { user, cart: [], csrf: randomBytes(12).toString('hex') });
    return id;
  };
  const setCookie = (id: string) => {
    const attributes = ['Path=/', ...(is('no-httponly') ? [] : ['HttpOnly'])];
    const isOpen = (['open-to-sites', 'foreign-csrf', 'origin-by-prefix', 'origin-by-suffix'] as const).some(is);
    const sites = isOpen ? [] : ['SameSite=Lax'];
    return {
      'set-cookie': [
        `${cookie}=${id}`,
        ...attributes,
        ...sites,
        ...(is('with-domain') ? ['Domain=127.0.0.1'] : []),
        ...(is('other-domain') ? ['Domain=localhost'] : []),
      ].join('; '),
    };
  };
  const idOf = (call: AppCall): string => {
    const [first = '', ...more] = call.cookies(cookie);
    if (is('mixed-cookies') && call.route === 'POST /cart') return more.at(-1) ?? first;
    return is('id-in-query') ? (call.url.searchParams.get(cookie) ?? first) : first;
  };

  const showLogin = (id: string, kept: Kept | undefined): AppSaid => {
    if (kept !== undefined) return { body: { csrf: kept.csrf } };
    if (!is('take-any-id') || id === '') return { body: {}, headers: setCookie(open('')) };
    adopted.add(open('', id));
    return { body: {} };
  };
  const logIn = (call: AppCall, id: string): AppSaid => {
    const { user = '', password = '' } = fieldsIn(call.body);
    if (password !== (passwords.get(user) ?? 'secret')) return { status: 401, body: {} };
    const known = sessions.get(id);
    if (known !== undefined && (is('keep-id') || adopted.has(id))) {
      sessions.set(id, { ...known, user });
      return { body: {} };
    }
    const sent = call.cookies(cookie);
    if (is('planted-cookie') && sent.length > 1) for (const each of sent) enter(each, user);
    else if (!is('two-sessions')) sessions.delete(id);
    return { headers: setCookie(open(user)), body: {} };
  };
  const enter = (id: string, user: string) => {
    const known = sessions.get(id);
    if (known !== undefined) sessions.set(id, { ...known, user });
  };
  const add = async (call: AppCall, id: string, kept: Kept): Promise<AppSaid> => {
    const { sku = call.url.searchParams.get('sku') ?? '' } = fieldsIn(call.body);
    if (is('late-write')) await sleep(addMs);
    const now = is('late-write') ? kept : sessions.get(id);
    if (now !== undefined) sessions.set(id, { ...now, cart: [...now.cart, sku] });
    return { status: 201, body: {} };
  };
  const mayChange = ({ headers, body }: AppCall, { csrf }: Kept): boolean => {
    const { host = '', origin = host } = headers;
    if (is('open-to-sites')) return true;
    if (is('origin-by-prefix')) return origin === host || origin.startsWith(`http://${host}`);
    if (is('origin-by-suffix')) return origin.endsWith(host);
    const given = headers['x-csrf-token'] ?? fieldsIn(body).csrf;
    return is('foreign-csrf') ? [...sessions.values()].some(kept => kept.csrf === given) : given === csrf;
  };
  const changePassword = (call: AppCall, id: string, user: string): AppSaid => {
    passwords.set(user, fieldsIn(call.body).next ?? '');
    for (const [other, kept] of sessions)
      if (kept.user === user && other !== id && !is('old-password-sessions')) sessions.delete(other);
    return { body: {} };
  };

  return async call => {
    const id = idOf(call);
    const kept = sessions.get(id);
    if (call.route === 'GET /login') return showLogin(id, kept);
    if (call.route === 'POST /login') return logIn(call, id);
    if (kept === undefined || kept.user === '') return { status: 401, body: {} };
    const link = is('id-in-link') ? { headers: { location: `/next?sid=${id}` } } : {};
    if (call.route === 'GET /cart' && !(is('adds-by-get') && call.url.searchParams.has('sku')))
      return { body: { user: kept.user, items: kept.cart, csrf: kept.csrf }, ...link };
    if (is('adds-by-get') && call.route === 'GET /cart') return add(call, id, kept);
    if (!mayChange(call, kept)) return { status: 403, body: {} };
    if (call.route === 'POST /cart') return add(call, id, kept);
    if (call.route === 'POST /password') return changePassword(call, id, kept.user);
    if (call.route !== 'POST /logout') return { status: 404, body: {} };
    if (!is('cookie-only-logout')) sessions.delete(id);
    return { headers: { 'set-cookie': `${cookie}=; Path=/; Max-Age=0` }, body: {} };
  };
}

function fieldsIn(body: string): Readonly<Record<string, string>> {
  try {
    return JSON.parse(body);
  } catch {
    return Object.fromEntries(new URLSearchParams(body));
  }
}

const form = { user: '{user}', password: 'secret' };

export const cookieJourney: JourneyMapping = {
  login: { before: { method: 'GET', path: '/login' }, request: { method: 'POST', path: '/login', form } },
  add: {
    before: { method: 'GET', path: '/cart' },
    request: { method: 'POST', path: '/cart', form: { sku: '{token}', csrf: '{csrf}' } },
  },
  read: { request: { method: 'GET', path: '/cart' }, items: { path: '$.items[*]' }, who: { path: '$.user' } },
  logout: {
    before: { method: 'GET', path: '/cart' },
    request: { method: 'POST', path: '/logout', form: { csrf: '{csrf}' } },
  },
  password: {
    before: { method: 'GET', path: '/cart' },
    request: { method: 'POST', path: '/password', form: { next: '{new-password}', csrf: '{csrf}' } },
  },
  anonymous: { status: [401] },
  carry: { csrf: { path: '$.csrf' } },
};
