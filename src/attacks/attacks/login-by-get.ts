import { type Attack, Tries } from '../attack.js';
import { sessionIn } from '../tools/browser.js';
import { logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'in the query': ['careless-shop'],
  'in a body': ['careless-shop'],
  'as a POST in disguise': ['careless-shop'],
  'by Basic authentication': ['careless-shop'],
} as const;

/** A link or a picture of another site causes a GET. It must not log a user in. */
export const loginByGet: Attack = {
  title: 'log in by GET or HEAD: with the password in the query, the body or a header, or with a header that says POST',
  asvs: ['7.6.2'],
  probes,
  run,
};

async function run(target: Target) {
  const tries = new Tries<keyof typeof probes>();
  const { user } = await logInFreshUser(target);
  const { password } = target;
  const fields = { user, password };
  const query = `?${new URLSearchParams(fields)}`;
  const overrides = { 'x-http-method-override': 'POST', 'x-http-method': 'POST', 'x-method-override': 'POST' };
  const basic = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  for (const [probe, method, path, options] of [
    ['in the query', 'GET', `/login${query}`, {}],
    ['in the query', 'HEAD', `/login${query}`, {}],
    ['in the query', 'GET', `/${query}`, {}],
    ['in the query', 'GET', `/me${query}`, {}],
    ['in a body', 'GET', '/login', { body: fields }],
    ['as a POST in disguise', 'GET', '/login', { body: fields, headers: overrides }],
    ['as a POST in disguise', 'GET', `/login${query}`, { headers: overrides }],
    ['as a POST in disguise', 'GET', `/login${query}&_method=POST`, {}],
    ['by Basic authentication', 'GET', '/cart', { headers: basic }],
    ['by Basic authentication', 'GET', '/me', { headers: basic }],
  ] as const) {
    const answer = await target.browser().send(method, path, options);
    const session = sessionIn(answer);
    tries
      .of(probe)
      .add(
        `${method} ${path.split('?')[0]} began a session`,
        session !== undefined || answer.json.user === user,
        answer,
      );
  }
  return tries.result();
}
