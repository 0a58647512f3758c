import { notApplicable, Tries } from '../../attack.js';
import { readSetCookie } from '../../tools/browser.js';
import { type AppUnderAttack, type LoggedIn, newItem } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer } from '../app-browser.js';
import { cookiesFromAnotherSite, listFormRequests, pageOrigins } from '../tools/cross-site.js';

/**
 * A page of another site makes the browser of a victim send a form. The page knows no value that the app gave to the
 * victim. The browser adds the cookies that have no SameSite=Lax or Strict.
 */
export const crossSitePost: AppAttack = {
  title:
    'an add from a form of another site: each type of a form, with foreign origins, without the CSRF token or with that of another session',
  asvs: ['3.5.1'],
  run,
};

async function run(app: AppUnderAttack) {
  if (app.session.kind !== 'cookie')
    return notApplicable('a browser does not send the session by itself: it is no cookie');
  const tries = new Tries();
  const victim = await app.logIn();
  const attacker = await app.logIn();
  const kept = cookiesFromAnotherSite(listSetCookies(victim), victim.browser.cookiesFor(app.mapping.add.request.path));
  const sent: { readonly item: string; readonly what: string; readonly answer: AppAnswer }[] = [];
  for (const token of ['no CSRF token', 'the CSRF token of the attacker'] as const) {
    const forged = victim.browser.copy();
    for (const name of Object.keys(app.mapping.carry))
      forged.carried.set(name, token === 'no CSRF token' ? '' : (attacker.browser.carried.get(name) ?? ''));
    for (const { type, ...form } of listFormRequests(app.mapping.add.request)) {
      for (const origin of pageOrigins) {
        const item = newItem();
        const { request } = forged.fill('add', item);
        const headers = [
          'content-type',
          type,
          'origin',
          origin,
          'sec-fetch-site',
          'cross-site',
          'sec-fetch-mode',
          'navigate',
        ];
        const outgoing = { request: { ...form.build(request), headers }, cookie: kept };
        sent.push({
          item,
          what: `${type.split(';')[0]} from ${origin}, ${token}`,
          answer: await forged.send('add', outgoing),
        });
      }
    }
    if (Object.keys(app.mapping.carry).length === 0) break;
  }
  const { reply } = await victim.browser.send('read', victim.browser.fill('read'));
  for (const { item, what, answer } of sent)
    tries.add(
      `an add from another site changed the session of the victim (${what})`,
      reply.body.includes(item),
      answer,
    );
  const isKeptBack = kept?.includes(`${app.session.name}=`) !== true;
  return { ...tries.result(), ...(isKeptBack ? { note: keptBack } : {}) };
}

const keptBack =
  'SameSite made the browser keep the cookie back, so the app itself was not tested; a page of a sibling host can send it';

function listSetCookies({ browser }: LoggedIn) {
  return browser.setCookies.map(readSetCookie);
}
