import { ackBeforeSave } from './ack-before-save.js';
import { anyOrigin } from './any-origin.js';
import { bareCookies } from './bare-cookies.js';
import { blindOverwrite } from './blind-overwrite.js';
import { cartAfterFailBack } from './cart-after-fail-back.js';
import { cartInCookie } from './cart-in-cookie.js';
import { countingIds } from './counting-ids.js';
import type { Defect } from './defect.js';
import { dropSetCookie } from './drop-set-cookie.js';
import { dropWrites } from './drop-writes.js';
import { duplicateOnRetry } from './duplicate-on-retry.js';
import { endlessIdle } from './endless-idle.js';
import { endlessRefresh } from './endless-refresh.js';
import { endlessRotation } from './endless-rotation.js';
import { foreignCart } from './foreign-cart.js';
import { foreignHandles } from './foreign-handles.js';
import { forgetfulAccounts } from './forgetful-accounts.js';
import { getLogsIn } from './get-logs-in.js';
import { keepIdAtLogin } from './keep-id-at-login.js';
import { memoryBehindStore } from './memory-behind-store.js';
import { noNonce } from './no-nonce.js';
import { noRevocation } from './no-revocation.js';
import { reviveAfterLogout } from './revive-after-logout.js';
import { sessionsOnDisk } from './sessions-on-disk.js';
import { shortIds } from './short-ids.js';
import { shortTtl } from './short-ttl.js';
import { staleReplica } from './stale-replica.js';
import { tabsOverwrite } from './tabs-overwrite.js';
import { trustingJwt } from './trusting-jwt.js';
import { unlistedSessions } from './unlisted-sessions.js';
import { userHeader } from './user-header.js';

export const defects = {
  'drop-writes': dropWrites,
  'foreign-cart': foreignCart,
  'revive-after-logout': reviveAfterLogout,
  'no-revocation': noRevocation,
  'blind-overwrite': blindOverwrite,
  'any-origin': anyOrigin,
  'bare-cookies': bareCookies,
  'cart-in-cookie': cartInCookie,
  'get-logs-in': getLogsIn,
  'user-header': userHeader,
  'forgetful-accounts': forgetfulAccounts,
  'trusting-jwt': trustingJwt,
  'keep-id-at-login': keepIdAtLogin,
  'short-ids': shortIds,
  'counting-ids': countingIds,
  'endless-idle': endlessIdle,
  'endless-rotation': endlessRotation,
  'unlisted-sessions': unlistedSessions,
  'no-nonce': noNonce,
  'foreign-handles': foreignHandles,
  'endless-refresh': endlessRefresh,
  'sessions-on-disk': sessionsOnDisk,
  'ack-before-save': ackBeforeSave,
  'stale-replica': staleReplica,
  'cart-after-fail-back': cartAfterFailBack,
  'drop-set-cookie': dropSetCookie,
  'short-ttl': shortTtl,
  'duplicate-on-retry': duplicateOnRetry,
  'tabs-overwrite': tabsOverwrite,
  'memory-behind-store': memoryBehindStore,
} as const satisfies Record<string, Defect>;
