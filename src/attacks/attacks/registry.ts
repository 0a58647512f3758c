import type { Attack } from '../attack.js';
import { affinityAddress } from './affinity-address.js';
import { affinityChosen } from './affinity-chosen.js';
import { affinityForged } from './affinity-forged.js';
import { loginByGet, sessionByCrawling } from './begun-by-get.js';
import { passwordChanged, secondFactorChanged } from './changed-credentials.js';
import { claimedIdentity } from './claimed-identity.js';
import { cookieAttributes, cookieSize } from './cookies.js';
import { crossSitePost, loginCsrf } from './cross-site.js';
import { disabledUser, endedByAdministrator, everyoneEnded } from './ended-by-administrator.js';
import { fixation } from './fixation.js';
import { endedByThief, foreignSessions } from './foreign-sessions.js';
import { jwtAlgorithm, jwtAudience, jwtKeyAddress, jwtOwnKey, jwtSignature, jwtTimes, jwtType } from './jwt.js';
import { absoluteLimit, idleLimit } from './limits.js';
import { lostEdits, oldCookie } from './lost-changes.js';
import { totpGuess, totpTwice } from './one-time-codes.js';
import { passwordGuess } from './password-guess.js';
import { predictedIds } from './predicted-ids.js';
import { refreshStolen } from './refresh-stolen.js';
import { logoutInFlight, reuseAfterFailover, reuseAfterLogout, storeLost } from './reuse.js';
import { sealKey, sealPurpose, sealTimes } from './sealed.js';
import { staleAuthentication } from './stale-authentication.js';
import { tamperedToken } from './tampered-token.js';
import { tokenInBody } from './token-in-body.js';

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
