import { UnnamedTries } from '../../attack.js';
import { type AppUnderAttack, showsMember } from '../app.js';
import type { AppAttack } from '../app-attack.js';
import type { AppAnswer, AppBrowser } from '../app-browser.js';

export const sessionInUrl: AppAttack = {
  title: 'the session id in the URL: looked for in every answer, and sent as a query field and as a path parameter',
  asvs: ['14.2.1'],
  run,
};

async function run(app: AppUnderAttack) {
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
