import type { Mode } from '#src/modes.js';
import type { SessionStore } from '#src/sessions/session-store.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Accounts } from './accounts/accounts.js';
import type { Defect, Listener } from './defects/defect.js';
import { defects } from './defects/registry.js';
import type { Route } from './routes/route.js';

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
