import { notApplicable, UnnamedTries } from '../../attack.js';
import { readSetCookie } from '../../tools/browser.js';
import { type AppUnderAttack, newItem } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import { buildNavigationCookies, fieldsOf } from '../tools/cross-site.js';

export const stateChangeByGet: AppAttack = {
  title: 'an add as a GET, which a link of another site can send, with the cookies that the browser adds',
  asvs: ['3.5.3'],
  run,
};

async function run(app: AppUnderAttack) {
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
