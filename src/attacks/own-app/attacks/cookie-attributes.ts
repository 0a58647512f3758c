import { notApplicable, UnnamedTries } from '../../attack.js';
import { Inconclusive } from '../../errors.js';
import { cookieBytesMax, readSetCookie, type SetCookie } from '../../tools/browser.js';
import type { AppUnderAttack } from '../app.js';
import type { AppAttack } from '../app-attack.js';

export const cookieAttributes: AppAttack = {
  title:
    'nothing: the Set-Cookie of the session is read for HttpOnly, SameSite, Domain, its size, and the rules of its prefix',
  asvs: ['3.3.1', '3.3.2', '3.3.3', '3.3.4', '3.3.5'],
  run,
};

async function run(app: AppUnderAttack) {
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
