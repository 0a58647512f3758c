import type { Attack } from '../attack.js';
import { affinityAddress, affinityChosen, affinityForged } from './affinity.js';
import { cookieAttributes, cookieSize, tokenInBody } from './cookies.js';
import { crossSitePost, loginByGet, loginCsrf, sessionByCrawling } from './cross-site.js';
import { jwtAlgorithm, jwtAudience, jwtKeyAddress, jwtOwnKey, jwtSignature, jwtTimes, jwtType } from './jwt.js';
import { absoluteLimit, idleLimit } from './limits.js';
import { lostEdits, oldCookie } from './lost-changes.js';
import { claimedIdentity, endedByThief, foreignSessions } from './other-users.js';
import { passwordGuess, totpGuess, totpTwice } from './password-and-codes.js';
import {
  disabledUser,
  endedByAdministrator,
  everyoneEnded,
  logoutInFlight,
  reuseAfterFailover,
  reuseAfterLogout,
  storeLost,
} from './reuse.js';
import { sealKey, sealPurpose, sealTimes } from './sealed.js';
import { passwordChanged, secondFactorChanged, staleAuthentication } from './sensitive-changes.js';
import { fixation, predictedIds } from './session-ids.js';
import { refreshStolen, tamperedToken } from './tokens.js';

export const attacks: Readonly<Record<string, Attack>> = {
  'tampered-token': tamperedToken,
  'predicted-ids': predictedIds,
  fixation,
  'reuse-after-logout': reuseAfterLogout,
  'logout-in-flight': logoutInFlight,
  'reuse-after-failover': reuseAfterFailover,
  'store-lost': storeLost,
  'lost-edits': lostEdits,
  'old-cookie': oldCookie,
  'login-by-get': loginByGet,
  'session-by-crawling': sessionByCrawling,
  'jwt-signature': jwtSignature,
  'jwt-algorithm': jwtAlgorithm,
  'jwt-own-key': jwtOwnKey,
  'jwt-key-address': jwtKeyAddress,
  'jwt-times': jwtTimes,
  'jwt-type': jwtType,
  'jwt-audience': jwtAudience,
  'seal-key': sealKey,
  'seal-times': sealTimes,
  'seal-purpose': sealPurpose,
  'cookie-attributes': cookieAttributes,
  'cookie-size': cookieSize,
  'token-in-body': tokenInBody,
  'cross-site-post': crossSitePost,
  'login-csrf': loginCsrf,
  'totp-twice': totpTwice,
  'totp-guess': totpGuess,
  'password-guess': passwordGuess,
  'claimed-identity': claimedIdentity,
  'affinity-forged': affinityForged,
  'affinity-chosen': affinityChosen,
  'affinity-address': affinityAddress,
  'refresh-stolen': refreshStolen,
  'idle-limit': idleLimit,
  'absolute-limit': absoluteLimit,
  'disabled-user': disabledUser,
  'password-changed': passwordChanged,
  'second-factor-changed': secondFactorChanged,
  'ended-by-administrator': endedByAdministrator,
  'everyone-ended': everyoneEnded,
  'stale-authentication': staleAuthentication,
  'foreign-sessions': foreignSessions,
  'ended-by-thief': endedByThief,
};
