import { Inconclusive } from '../errors.js';
import { type BrowserAnswer, readSetCookie, sessionCookies } from './browser.js';
import { expectStatus } from './shop.js';
import type { Target } from './target.js';

/** The reason why an attack on affinity cookies does not apply. */
export const noAffinityReason = 'the proxy binds no browser to a backend';

/** The cookie that binds a browser to a backend. */
export interface BindingCookie {
  readonly name: string;
  readonly value: string;
  /** The backend whose answer set the cookie. */
  readonly backend: string;
}

/** Gets the cookie that the proxy sets for a new browser. */
export async function fetchBinding(target: Target): Promise<BindingCookie> {
  const answer = await target.browser().get('/me');
  const set = answer.setCookies.map(readSetCookie).find(({ name }) => !sessionCookies.has(name));
  if (set === undefined) throw new Inconclusive('the proxy set no affinity cookie for a new browser');
  return { name: set.name, value: set.value, backend: backendOf(answer) };
}

/** Gets one cookie for each backend. Rejects with `Inconclusive` when random routing does not reach all of them. */
export async function fetchBindingsToAll(target: Target): Promise<readonly BindingCookie[]> {
  const found = new Map<string, BindingCookie>();
  for (let visits = 0; found.size < target.backends.length; visits++) {
    if (visits > visitsMax) throw new Inconclusive(`after ${visits} visits only ${found.size} backends were met`);
    const binding = await fetchBinding(target);
    found.set(binding.backend, binding);
  }
  return [...found.values()];
}

const visitsMax = 100;

/** Tests whether the proxy accepts this cookie. It immediately replaces a cookie that it does not accept. */
export async function testBinding(target: Target, { name, value }: Pick<BindingCookie, 'name' | 'value'>) {
  const answer = expectStatus(
    await target.browser().get('/me', { headers: { cookie: `${name}=${value}` } }),
    200,
    'GET /me',
  );
  return { answer, isFollowed: answer.setCookies.every(line => readSetCookie(line).name !== name) };
}

export function backendOf({ headers }: BrowserAnswer): string {
  return headers['holdfast-backend'] ?? '';
}
