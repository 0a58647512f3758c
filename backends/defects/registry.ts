import { forgetfulAccounts, getLogsIn, noNonce } from './account-defects.js';
import { dropWrites, duplicateOnRetry, foreignCart, reviveAfterLogout, tabsOverwrite } from './cart-writes.js';
import type { Defect } from './defect.js';
import { anyOrigin, bareCookies, cartInCookie, dropSetCookie, userHeader } from './http.js';
import { trustingJwt } from './jwt.js';
import { countingIds, keepIdAtLogin, shortIds } from './session-ids.js';
import {
  ackBeforeSave,
  blindOverwrite,
  cartAfterFailBack,
  endlessIdle,
  endlessRefresh,
  endlessRotation,
  foreignHandles,
  memoryBehindStore,
  noRevocation,
  sessionsOnDisk,
  shortTtl,
  staleReplica,
  unlistedSessions,
} from './stores.js';

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
