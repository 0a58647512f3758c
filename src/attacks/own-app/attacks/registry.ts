import type { AppAttack } from '../app-attack.js';
import { cookieAttributes, cookieTossing, sessionInUrl } from './cookies.js';
import { crossSitePost, stateChangeByGet } from './cross-site.js';
import { jwtExpired, jwtKeyConfusion, jwtKeyId, jwtNone, jwtSignature } from './jwt.js';
import { logoutRace, oldPassword, refreshRace, replayAfterLogout } from './reuse.js';
import { fixation, idKeptAtLogin, idRandomness } from './session-ids.js';

/** The attacks on an app that Holdfast does not know. They run in this order. */
export const appAttacks: Readonly<Record<string, AppAttack>> = {
  fixation,
  'id-kept-at-login': idKeptAtLogin,
  'replay-after-logout': replayAfterLogout,
  'logout-race': logoutRace,
  'cookie-attributes': cookieAttributes,
  'cookie-tossing': cookieTossing,
  'cross-site-post': crossSitePost,
  'state-change-by-get': stateChangeByGet,
  'session-in-url': sessionInUrl,
  'jwt-signature': jwtSignature,
  'jwt-none': jwtNone,
  'jwt-key-confusion': jwtKeyConfusion,
  'jwt-key-id': jwtKeyId,
  'jwt-expired': jwtExpired,
  'refresh-race': refreshRace,
  'id-randomness': idRandomness,
  // Last: it changes the password of a user.
  'old-password': oldPassword,
};
