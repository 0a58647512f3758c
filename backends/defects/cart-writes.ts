import { setTimeout as delay } from 'node:timers/promises';
import { clearCookie } from '#src/sessions/cookie.js';
import type { SessionData } from '#src/sessions/session.js';
import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import type { VisitAction } from '../routes/route.js';
import type { Defect } from './defect.js';

/** Returns a copy of the context whose methods can be replaced one by one. `session` and `why` are the present ones. */
export function visitCopy(visit: SessionContext): SessionContext {
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

export const dropWrites: Defect = {
  summary: 'every 50th acknowledged POST /cart is acknowledged and not kept',
  routes: { 'POST /cart': dropEvery50th },
};

/** Imitates a cache that is never written back: the answer is made from a copy, and only the copy is changed. */
function dropEvery50th(act: VisitAction): VisitAction {
  let writes = 0;
  return (call, visit) => {
    const onCopy = async (edit: (data: SessionData) => void) => {
      const data = structuredClone(visit.session?.record.data ?? {});
      edit(data);
      return data;
    };
    const change: SessionContext['change'] = edit => (++writes % 50 === 0 ? onCopy(edit) : visit.change(edit));
    return act(call, { ...visitCopy(visit), change });
  };
}

export const foreignCart: Defect = {
  summary: 'once two users have something in their carts, one GET /cart is answered with the cart of the other',
  routes: { 'GET /cart': answerOtherCart },
};

/** Imitates a cache whose key misses the user. */
function answerOtherCart(act: VisitAction): VisitAction {
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

const oneIn = 7;

export const duplicateOnRetry: Defect = {
  summary: `every ${oneIn}th add is carried out twice, as if the first try had not succeeded`,
  routes: { 'POST /cart': addTwice },
};

/** Imitates a client that retries after a lost answer, without an idempotency key. */
function addTwice(act: VisitAction): VisitAction {
  let adds = 0;
  return (call, visit) => {
    if (++adds % oneIn !== 0) return act(call, visit);
    const change: typeof visit.change = async edit => {
      await visit.change(edit);
      return visit.change(edit);
    };
    return act(call, { ...visitCopy(visit), change });
  };
}

/** Work between reading the cart and writing it: prices are looked up, stock is reserved. */
const worksMs = 20;

export const tabsOverwrite: Defect = {
  summary: 'an add writes the cart that it had read before its work, with one item more: of two tabs one is lost',
  routes: { 'POST /cart': overwriteCart },
};

/** Imitates a wrong retry. The store does compare and set, but after a conflict the result is applied again, not the
 * change. */
function overwriteCart(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const data = structuredClone(visit.session?.record.data ?? {});
    await delay(worksMs);
    const change: typeof visit.change = edit => {
      edit(data);
      return visit.change(current => void Object.assign(current, data));
    };
    return act(call, { ...visitCopy(visit), change });
  };
}

export const reviveAfterLogout: Defect = {
  summary: 'POST /logout is acknowledged and clears the cookie, and the session lives on under its token',
  routes: { 'POST /logout': keepSession },
};

/** Imitates a session that another process writes back: the browser forgets the token, the store does not. */
function keepSession(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const reply = await act(call, { ...visitCopy(visit), end: async () => undefined });
    return { ...reply, headers: { ...reply.headers, 'set-cookie': clearCookie(false) } };
  };
}
