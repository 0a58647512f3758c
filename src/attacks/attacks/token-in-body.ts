import { type Attack, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser, BrowserAnswer } from '../tools/browser.js';
import { listShopPaths } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/** A script in the page cannot read the cookie, so it must not find the token elsewhere. */
export const tokenInBody: Attack = {
  title: 'find the token, or a part of it, in the body or another header of any answer of any route',
  asvs: ['3.3.4'],
  weak: ['careless-shop'],
  run,
};

/** Shorter parts, such as the id of a key, are not secret. */
const partCharsMin = 20;

async function run(target: Target) {
  const tries = new Tries();
  const browser = target.browser();
  const parts = new Set<string>();
  for await (const { what, answer } of visit(target, browser)) {
    for (const part of partsOf(browser)) parts.add(part);
    const shown = `${answer.text}\n${JSON.stringify({ ...answer.headers, 'set-cookie': undefined })}`;
    const leaked = [...parts].some(part => shown.includes(part));
    tries.add(`the answer of ${what} shows the token`, leaked, answer);
  }
  return tries.result();
}

/** Calls every route as a logged-in user: with GET, with a wrong body, and correctly. */
async function* visit(target: Target, browser: AttackBrowser): AsyncGenerator<{ what: string; answer: BrowserAnswer }> {
  const { password } = target;
  const login = await browser.post('/login', { user: target.freshUser(), password });
  if (!login.setCookies.some(line => line.includes(browser.token)))
    throw new Inconclusive('the login did not set the token in a cookie, so a search elsewhere would prove nothing');
  yield { what: 'the login', answer: login };
  const paths = await listShopPaths(target.browser());
  for (const path of ['/no-such-path', ...paths]) {
    yield { what: `GET ${path}`, answer: await browser.get(path) };
    yield { what: `POST ${path} with nonsense`, answer: await browser.post(path, { non: 'sense' }) };
  }
  const proof = await browser.post('/account/reauthenticate', { password });
  yield { what: 'POST /account/reauthenticate', answer: proof };
  for (const [path, body] of [
    ['/cart', { sku: 'tea' }],
    ['/account/sessions/end-others', { nonce: proof.json.nonce }],
    ['/logout', {}],
  ] as const)
    yield { what: `POST ${path}`, answer: await browser.post(path, body) };
}

function partsOf({ cookies }: AttackBrowser): readonly string[] {
  return [...cookies.values()].flatMap(value => [value, ...value.split(/[.~]/)]).filter(isTelling);
}

function isTelling({ length }: string): boolean {
  return length >= partCharsMin;
}
