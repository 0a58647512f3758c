import type { BrowserAnswer } from './browser.js';
import { expectStatus, unexpected } from './shop.js';

/** Returns the handle of the session that asked for its list (`GET /account/sessions`). */
export function currentHandleIn(answer: BrowserAnswer): string | undefined {
  const handle = linesOf(answer).find(({ current }) => current === true)?.handle;
  return typeof handle === 'string' ? handle : undefined;
}

export function handlesIn(answer: BrowserAnswer): string[] {
  return linesOf(answer).flatMap(({ handle }) => (typeof handle === 'string' ? [handle] : []));
}

function linesOf(answer: BrowserAnswer): readonly Readonly<Record<string, unknown>>[] {
  const { sessions } = expectStatus(answer, 200, 'GET /account/sessions').json;
  if (Array.isArray(sessions)) return sessions.map(line => Object(line));
  throw unexpected(answer, 'GET /account/sessions', 'a list');
}
