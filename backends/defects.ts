import type { Mode } from '#src/modes.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Accounts } from './accounts/accounts.js';
import {
  anyAddress,
  anyPassword,
  dropWrites,
  duplicateOnRetry,
  everyoneAdministers,
  foreignCart,
  forgetfulAccounts,
  getLogsIn,
  halfLogins,
  noNonce,
  oneCounter,
  reviveAfterLogout,
  tabsOverwrite,
  unchangedAccounts,
  wideTotp,
} from './defects/carts-and-accounts.js';
import type { Defect, Listener } from './defects/defect.js';
import {
  anyMethod,
  anyOrigin,
  bareCookies,
  cartInCookie,
  dropSetCookie,
  forwardedHost,
  looseNames,
  userHeader,
} from './defects/http.js';
import {
  countingIds,
  foreignHandles,
  keepIdAtLogin,
  looseTokens,
  shortIds,
  timedIds,
  unlistedSessions,
} from './defects/session-ids.js';
import {
  ackBeforeSave,
  blindOverwrite,
  cartAfterFailBack,
  endlessIdle,
  endlessRefresh,
  endlessRotation,
  endlessUse,
  memoryBehindStore,
  noRevocation,
  sessionsOnDisk,
  shortTtl,
  staleReplica,
} from './defects/stores.js';
import { trustingJwt, trustingSeal } from './defects/tokens.js';
import type { Route } from './routes/route.js';

/** The defects, by the names in SHOP_DEFECT. */
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
  'any-method': anyMethod,
  'forwarded-host': forwardedHost,
  'loose-names': looseNames,
  'user-header': userHeader,
  'forgetful-accounts': forgetfulAccounts,
  'any-address': anyAddress,
  'one-counter': oneCounter,
  'wide-totp': wideTotp,
  'half-logins': halfLogins,
  'trusting-jwt': trustingJwt,
  'trusting-seal': trustingSeal,
  'keep-id-at-login': keepIdAtLogin,
  'short-ids': shortIds,
  'loose-tokens': looseTokens,
  'counting-ids': countingIds,
  'timed-ids': timedIds,
  'endless-idle': endlessIdle,
  'endless-rotation': endlessRotation,
  'endless-use': endlessUse,
  'unlisted-sessions': unlistedSessions,
  'unchanged-accounts': unchangedAccounts,
  'no-nonce': noNonce,
  'any-password': anyPassword,
  'everyone-administers': everyoneAdministers,
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

export type DefectName = keyof typeof defects;

export const defectNames: readonly string[] = Object.keys(defects);

export function isDefectName(name: string): name is DefectName {
  return Object.hasOwn(defects, name);
}

/** Several defects combined: each wraps the result of the one before. */
export interface CombinedDefects {
  routes(original: readonly Route[]): readonly Route[];
  sessions(store: Mode['store']): Required<NonNullable<Defect['sessions']>>;
  accounts(original: Accounts): Accounts;
  listener(original: Listener, keys: () => KeyRing): Listener;
}

/** Combines the defects and writes their names to stderr. */
export function plant(names: readonly DefectName[]): CombinedDefects {
  for (const name of names) console.error(`DEFECT PLANTED: ${name}: ${defects[name].summary}`);
  const planted = names.map((name): Defect => defects[name]);
  return {
    routes: original =>
      planted.reduce((routes, { routes: wrappers = {} }) => routes.map(route => wrapRoute(route, wrappers)), original),
    sessions: store => ({
      store: planted.reduce((name: Mode['store'], { sessions }) => sessions?.store ?? name, store),
      revocation: planted.every(({ sessions }) => sessions?.revocation !== false),
      decorateStore: original =>
        planted.reduce((store: SessionStore, { sessions }) => sessions?.decorateStore?.(store) ?? store, original),
    }),
    accounts: original =>
      planted.reduce((accounts: Accounts, defect) => defect.accounts?.(accounts) ?? accounts, original),
    listener: (original, keys) =>
      planted.reduce((next: Listener, defect) => defect.listener?.(next, keys) ?? next, original),
  };
}

function wrapRoute(route: Route, wrappers: NonNullable<Defect['routes']>): Route {
  const wrap = wrappers[`${route.method} ${route.path}`];
  return route.kind === 'session' && wrap !== undefined ? { ...route, act: wrap(route.act) } : route;
}
