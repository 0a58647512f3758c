import { Inconclusive } from '../errors.js';
import { type BrowserAnswer, readSetCookie, sessionCookies } from './browser.js';
import { expectStatus } from './shop.js';
import type { Target } from './target.js';

/** Why an attack on affinity cookies does not apply. */
export const noAffinity = 'the proxy binds no browser to a backend';

/** The cookie that binds a browser to a backend. */
export interface BindingCookie {
  readonly name: string;
  readonly value: string;
  /** Who answered when it was given out. */
  readonly backend: string;
}

/** As a browser that comes for the first time is given it. */
export async function freshBinding(target: Target): Promise<BindingCookie> {
  const answer = await target.browser().get('/me');
  const set = answer.setCookies.map(readSetCookie).find(({ name }) => !sessionCookies.has(name));
  if (set === undefined) throw new Inconclusive('the proxy set no affinity cookie for a new browser');
  return { name: set.name, value: set.value, backend: backendOf(answer) };
}

/** One for each backend; rejects with `Inconclusive` when they do not come up by chance. */
export async function bindingsToAll(target: Target): Promise<readonly BindingCookie[]> {
  const found = new Map<string, BindingCookie>();
  for (let visits = 0; found.size < target.backends.length; visits++) {
    if (visits > visitsMax) throw new Inconclusive(`after ${visits} visits only ${found.size} backends were met`);
    const binding = await freshBinding(target);
    found.set(binding.backend, binding);
  }
  return [...found.values()];
}

const visitsMax = 100;

/** Whether the proxy goes by this cookie: the one that it takes for none of its own it replaces at once. */
export async function isFollowed(target: Target, { name, value }: Pick<BindingCookie, 'name' | 'value'>) {
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
