import { messageOf } from '../shared/text.js';
import { type SessionsOptions, toOpenOptions } from './app/options.js';
import { openSessions, type Sessions } from './sessions.js';

export type * from './app/app-session.js';
export { HeadSent } from './app/app-session.js';
export type { AppListener } from './app/open-app-session.js';
export type { SessionsOptions } from './app/options.js';
export type { DescribeClient, SessionClient } from './client.js';
export type { CookieOptions } from './cookie.js';
export * from './errors.js';
export type { Json, NewSessionRecord, SessionLimits, SessionRecord, SessionSummary } from './session.js';
// A store of your own needs these.
export { digestOf, type Epochs, handleOf, isPresent, nextEpoch, userTagIn, userTagOf } from './session.js';
export type {
  RoundTrips,
  SessionStore,
  StoreCapabilities,
  StoreEntry,
  StoreSettings,
  StoreTransition,
} from './session-store.js';
export type { Sessions } from './sessions.js';

/**
 * Opens the sessions of an app. Resolves at once, also while the store is unreachable: `ready` waits for it. Rejects
 * with a `TypeError` for an option that cannot be used.
 */
export async function sessions(options: SessionsOptions): Promise<Sessions> {
  try {
    return await openSessions(toOpenOptions(options));
  } catch (error) {
    throw new TypeError(`sessions: ${messageOf(error)}`, { cause: error });
  }
}
