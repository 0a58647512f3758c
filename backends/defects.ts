import { clearCookie } from '#src/sessions/cookie.js';
import type { SessionData } from '#src/sessions/session.js';
import type { Reply, Visit } from '#src/sessions/sessions.js';
import type { Route, VisitAction } from './route.js';

/**
 * Faults planted on purpose: whoever claims to find lost writes, swapped identities and sessions that come back is
 * tested against a shop that has them. Each wraps one action from outside; without SHOP_DEFECT none of this runs.
 */
interface Defect {
  readonly summary: string;
  /** `METHOD path` of the route that is spoilt. */
  readonly route: string;
  spoil(act: VisitAction): VisitAction;
}

export const defects = {
  'drop-writes': {
    summary: 'every 50th acknowledged POST /cart is acknowledged and not kept',
    route: 'POST /cart',
    spoil: dropWrites,
  },
  'foreign-cart': {
    summary: 'once two users have something in their carts, one GET /cart is answered with the cart of the other',
    route: 'GET /cart',
    spoil: foreignCart,
  },
  'revive-after-logout': {
    summary: 'POST /logout is acknowledged and clears the cookie, and the session lives on under its token',
    route: 'POST /logout',
    spoil: reviveAfterLogout,
  },
} as const satisfies Record<string, Defect>;

export type DefectName = keyof typeof defects;

export const defectNames: readonly string[] = Object.keys(defects);

export function isDefectName(name: string): name is DefectName {
  return Object.hasOwn(defects, name);
}

export function plant(names: readonly DefectName[], routes: readonly Route[]): readonly Route[] {
  return names.reduce((planted, name) => planted.map(route => spoilt(route, defects[name])), routes);
}

function spoilt(route: Route, defect: Defect): Route {
  const hit = route.kind === 'visit' && `${route.method} ${route.path}` === defect.route;
  return hit ? { ...route, act: defect.spoil(route.act) } : route;
}

/** As a cache that is never written back: the answer is made from a copy, and the copy is all that is changed. */
function dropWrites(act: VisitAction): VisitAction {
  let writes = 0;
  return (call, visit) => {
    const onCopy = async (edit: (data: SessionData) => void) => {
      const data = structuredClone(visit.session?.record.data ?? {});
      edit(data);
      return data;
    };
    const change: Visit['change'] = edit => (++writes % 50 === 0 ? onCopy(edit) : visit.change(edit));
    return act(call, { ...plainCopy(visit), change });
  };
}

/** As a cache whose key forgot the user. */
function foreignCart(act: VisitAction): VisitAction {
  let first: { readonly user: string; readonly reply: Reply } | undefined;
  let done = false;
  return async (call, visit) => {
    const reply = await act(call, visit);
    const user = visit.session?.record.user;
    if (done || user === undefined || reply.body?.includes('"items":[]')) return reply;
    if (first === undefined || first.user === user) {
      first = { user, reply };
      return reply;
    }
    done = true;
    return first.reply;
  };
}

/** As a session that is written back by whoever still held it: the browser forgets the token, the store does not. */
function reviveAfterLogout(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const reply = await act(call, { ...plainCopy(visit), end: async () => undefined });
    return { ...reply, headers: { ...reply.headers, 'set-cookie': clearCookie(false) } };
  };
}

function plainCopy(visit: Visit): Visit {
  return {
    session: visit.session,
    why: visit.why,
    begin: (user, data) => visit.begin(user, data),
    change: edit => visit.change(edit),
    rotate: edit => visit.rotate(edit),
    end: () => visit.end(),
    handle: visit.handle,
  };
}
