import type { RevocableToken } from '#src/sessions/revocation-feed.js';
import type { Epochs } from '#src/sessions/session.js';

/** Returns a token as a feed sees it. By default, no epoch revokes it. */
export function revocable(handle: string, epochs: Partial<Epochs> = {}, userTag = 'x'.repeat(16)): RevocableToken {
  const latest = Number.MAX_SAFE_INTEGER;
  return { handle, userTag, epochs: { user: latest, everyone: latest, ...epochs } };
}
