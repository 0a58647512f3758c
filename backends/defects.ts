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
export interface Planted {
  routes(sound: readonly Route[]): readonly Route[];
  sessions(store: string): Required<NonNullable<Defect['sessions']>>;
  accounts(sound: Accounts): Accounts;
  listener(sound: Listener, keys: () => KeyRing): Listener;
}

/** Combines the defects and writes their names to stderr. */
export function plant(names: readonly DefectName[]): Planted {
  for (const name of names) console.error(`DEFECT PLANTED: ${name}: ${defects[name].summary}`);
  const planted = names.map((name): Defect => defects[name]);
  return {
    routes: sound =>
      planted.reduce((routes, { routes: spoils = {} }) => routes.map(route => spoilt(route, spoils)), sound),
    sessions: store => ({
      store: planted.reduce((name, { sessions }) => sessions?.store ?? name, store),
      revocation: planted.every(({ sessions }) => sessions?.revocation !== false),
      decorateStore: sound =>
        planted.reduce((store: SessionStore, { sessions }) => sessions?.decorateStore?.(store) ?? store, sound),
    }),
    accounts: sound => planted.reduce((accounts: Accounts, defect) => defect.accounts?.(accounts) ?? accounts, sound),
    listener: (sound, keys) => planted.reduce((next: Listener, defect) => defect.listener?.(next, keys) ?? next, sound),
  };
}

function spoilt(route: Route, spoils: NonNullable<Defect['routes']>): Route {
  const spoil = spoils[`${route.method} ${route.path}`];
  return route.kind === 'visit' && spoil !== undefined ? { ...route, act: spoil(route.act) } : route;
}
