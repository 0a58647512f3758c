import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { type BrowserAnswer, readSetCookie, type SetCookie, sessionCookies } from '../tools/browser.js';
import { enrolUser, preLoginOf } from '../tools/second-factor.js';
import type { Target } from '../tools/target.js';

const probes = {
  HttpOnly: ['careless-shop'],
  SameSite: ['careless-shop'],
  Path: ['careless-shop'],
  Domain: ['careless-shop'],
  Secure: ['careless-shop'],
  '__Host-': ['careless-shop'],
  '__Host- without Secure': ['careless-shop'],
  lifetime: ['careless-shop'],
  'another name': ['lenient-shop'],
} as const;

type Probe = keyof typeof probes;

/**
 * Checks every cookie that the system sets during a visit against RFC 6265bis, over plain HTTP and behind a TLS
 * terminator. Then sends a token that was issued over TLS under the cookie name of plain HTTP. An attacker on the
 * network, or another host of the domain, could set a cookie of that name.
 */
export const cookieAttributes: Attack = {
  title:
    'find a cookie without HttpOnly, SameSite, Path, Secure or __Host-, or with a Domain; use one without its prefix',
  asvs: ['3.3.1', '3.3.2', '3.3.3', '3.3.4'],
  probes,
  run,
};

const tls = { 'x-forwarded-proto': 'https' };

async function run(target: Target) {
  const tries = new Tries<Probe>();
  for (const headers of [{}, tls]) {
    const secure = headers === tls;
    const answers = await visit(target, headers);
    const set = answers.flatMap(answer => answer.setCookies.map(line => ({ cookie: readSetCookie(line), answer })));
    if (set.every(({ cookie }) => !sessionCookies.has(cookie.name)))
      throw new Inconclusive('a login set no session cookie to check');
    for (const { cookie, answer } of set) {
      const shown = { status: answer.status, exchange: { ...answer.exchange, decisive: describeCookie(cookie) } };
      const where = `${cookie.name} over ${secure ? 'TLS' : 'plain HTTP'}`;
      for (const [probe, flaw, isFound] of checksOf(cookie, secure))
        tries.of(probe).add(`${where}: ${flaw}`, isFound, shown);
    }
  }
  await tryWithoutPrefix(target, tries);
  return tries.result();
}

/** Sends every kind of request that sets or clears a cookie: logins with one and two factors, a change, a logout. */
async function visit(target: Target, headers: Readonly<Record<string, string>>): Promise<readonly BrowserAnswer[]> {
  const { user, browser: first } = await enrolUser(target);
  const login = { user: target.freshUser(), password: target.password };
  const browser = target.browser();
  return [
    await browser.post('/login', login, { headers }),
    await browser.post('/cart', { sku: 'tea' }, { headers }),
    await browser.get('/me', { headers: { ...headers, cookie: 'session=unknown; __Host-session=unknown' } }),
    await (await preLoginOf(target, user)).post('/login', { user, password: target.password }, { headers }),
    await first.get('/cart', { headers }),
    await browser.post('/logout', {}, { headers }),
  ];
}

/** Returns the Set-Cookie line without its value. */
function describeCookie({ line }: SetCookie): string {
  return `set-cookie: ${line.replace(/=[^;]*/, '=…')}`;
}

type Check = readonly [probe: Probe, flaw: string, isFound: boolean];

function checksOf({ name, value, attributes }: SetCookie, secure: boolean): readonly Check[] {
  const sameSite = attributes.get('samesite')?.toLowerCase();
  return [
    ['HttpOnly', 'no HttpOnly', !attributes.has('httponly')],
    ['SameSite', 'SameSite is not Lax or Strict', sameSite !== 'lax' && sameSite !== 'strict'],
    ['Path', 'Path is not /', attributes.get('path') !== '/'],
    ['Domain', 'has a Domain', attributes.has('domain')],
    ['Secure', 'no Secure', secure && !attributes.has('secure')],
    ['__Host-', 'no __Host-', secure && !name.startsWith('__Host-')],
    [
      '__Host- without Secure',
      '__Host- without Secure, which browsers reject',
      name.startsWith('__') && !attributes.has('secure'),
    ],
    [
      'lifetime',
      'outlives the browser',
      value !== '' && sessionCookies.has(name) && (attributes.has('max-age') || attributes.has('expires')),
    ],
  ];
}

/**
 * Names that a browser stores without the checks of the `__Host-` prefix. A careless server takes such a cookie for its
 * own. A `trim` may remove byte A0 and similar bytes as white space; to a browser they are part of the name.
 */
const bareNames = [
  'session',
  '__Secure-session',
  '__Host_session',
  '__host-session',
  '__HOST-SESSION',
  '$__Host-session',
  '"__Host-session"',
  '\u00a0__Host-session',
  '__Host-session\u00a0',
  '\u00c2\u00a0__Host-session',
  '\u0085__Host-session',
  '\u00e2\u0080\u0080__Host-session',
];

async function tryWithoutPrefix(target: Target, tries: Tries<Probe>): Promise<void> {
  const user = target.freshUser();
  const browser = target.browser();
  await browser.post('/login', { user, password: target.password }, { headers: tls });
  const genuine = [...browser.cookies].find(([name]) => sessionCookies.has(name));
  const [name = '', token = ''] = genuine ?? [];
  const honoured = await browser.get('/me', { headers: tls });
  // A cookie that lacks the prefix has been found already, and the shop itself may not read it back.
  if (honoured.json.user !== user && !name.startsWith('__Host-')) return;
  if (honoured.json.user !== user) throw new Inconclusive('a login behind TLS gave no session');
  const others = [...browser.cookies].filter(([each]) => each !== name).map(([each, value]) => `${each}=${value}`);
  for (const bare of bareNames) {
    if (bare === name) continue;
    const cookie = [...others, `${bare}=${token}`].join('; ');
    const answer = await target.browser().get('/me', { headers: { ...tls, cookie } });
    const what = `the token of TLS was accepted under the name ${JSON.stringify(bare)}`;
    tries.of('another name').add(what, answer.json.user === user, answer);
  }
}
