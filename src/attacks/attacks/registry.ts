import type { Attack } from '../attack.js';
import { affinityAddress } from './affinity-address.js';
import { affinityChosen } from './affinity-chosen.js';
import { affinityForged } from './affinity-forged.js';
import { claimedIdentity } from './claimed-identity.js';
import { cookieAttributes } from './cookie-attributes.js';
import { cookieSize } from './cookie-size.js';
import { crossSitePost } from './cross-site-post.js';
import { jwtAlgorithm } from './jwt-algorithm.js';
import { jwtAudience } from './jwt-audience.js';
import { jwtKeyAddress } from './jwt-key-address.js';
import { jwtOwnKey } from './jwt-own-key.js';
import { jwtSignature } from './jwt-signature.js';
import { jwtTimes } from './jwt-times.js';
import { jwtType } from './jwt-type.js';
import { loginByGet } from './login-by-get.js';
import { loginCsrf } from './login-csrf.js';
import { logoutInFlight } from './logout-in-flight.js';
import { lostEdits } from './lost-edits.js';
import { refreshStolen } from './refresh-stolen.js';
import { reuseAfterLogout } from './reuse-after-logout.js';
import { sessionByCrawling } from './session-by-crawling.js';
import { tokenInBody } from './token-in-body.js';
import { totpGuess } from './totp-guess.js';
import { totpTwice } from './totp-twice.js';

export const attacks: Readonly<Record<string, Attack>> = {
  'reuse-after-logout': reuseAfterLogout,
  'logout-in-flight': logoutInFlight,
  'lost-edits': lostEdits,
  'login-by-get': loginByGet,
  'session-by-crawling': sessionByCrawling,
  'jwt-signature': jwtSignature,
  'jwt-algorithm': jwtAlgorithm,
  'jwt-own-key': jwtOwnKey,
  'jwt-key-address': jwtKeyAddress,
  'jwt-times': jwtTimes,
  'jwt-type': jwtType,
  'jwt-audience': jwtAudience,
  'cookie-attributes': cookieAttributes,
  'cookie-size': cookieSize,
  'token-in-body': tokenInBody,
  'cross-site-post': crossSitePost,
  'login-csrf': loginCsrf,
  'totp-twice': totpTwice,
  'totp-guess': totpGuess,
  'claimed-identity': claimedIdentity,
  'affinity-forged': affinityForged,
  'affinity-chosen': affinityChosen,
  'affinity-address': affinityAddress,
  'refresh-stolen': refreshStolen,
};
