import { type Attack, Tries } from '../attack.js';
import { sessionIn } from '../tools/browser.js';
import { logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/** A link or a picture of another site causes a GET. It must not log a user in. */
export const loginByGet: Attack = {
  title: 'log in by GET or HEAD: with the password in the query, the body or a header, or with a header that says POST',
  asvs: ['7.6.2'],
  weak: ['careless-shop'],
  run,
};

async function run(target: Target) {
  const tries = new Tries();
  const { user } = await logInFreshUser(target);
  const { password } = target;
  const fields = { user, password };
  const query = `?${new URLSearchParams(fields)}`;
  const overrides = { 'x-http-method-override': 'POST', 'x-http-method': 'POST', 'x-method-override': 'POST' };
  const basic = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  for (const [method, path, options] of [
    ['GET', `/login${query}`, {}],
    ['HEAD', `/login${query}`, {}],
    ['GET', `/login${query}&_method=POST`, {}],
    ['GET', '/login', { body: fields }],
    ['GET', '/login', { body: fields, headers: overrides }],
    ['GET', `/login${query}`, { headers: overrides }],
    ['GET', `/${query}`, {}],
    ['GET', `/me${query}`, {}],
    ['GET', `/cart${query}`, { headers: basic }],
    ['GET', '/me', { headers: basic }],
  ] as const) {
    const answer = await target.browser().send(method, path, options);
    const session = sessionIn(answer);
    tries.add(
      `${method} ${path.split('?')[0]} began a session`,
      session !== undefined || answer.json.user === user,
      answer,
    );
  }
  return tries.result();
}
