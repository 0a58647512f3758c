import { setTimeout as delay } from 'node:timers/promises';
import { standardCookie } from '#src/sessions/cookie.js';
import type { Edit } from '#src/sessions/session.js';
import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import type { SessionAction } from '../routes/route.js';
import type { Defect } from './defect.js';

/** Returns a copy of the context, so that its methods can be replaced one by one. `session` and `why` are the present
 * ones. */
export function copyContext(context: SessionContext): SessionContext {
  return {
    session: context.session,
    why: context.why,
    begin: (user, data) => context.begin(user, data),
    change: edit => context.change(edit),
    rotate: edit => context.rotate(edit),
    end: () => context.end(),
    endOthers: () => context.endOthers(),
    handle: context.handle,
  };
}

export const dropWrites: Defect = {
  summary: 'every 50th POST /cart is acknowledged but not saved',
  routes: { 'POST /cart': dropEvery50th },
};

/** Imitates a cache that is never written back: the answer is made from a copy, and only the copy is changed. */
function dropEvery50th(act: SessionAction): SessionAction {
  let writes = 0;
  return (call, context) => {
    const onCopy = async (edit: Edit) => {
      const data = structuredClone(context.session?.record.data ?? {});
      edit(data);
      return data;
    };
    const change: SessionContext['change'] = edit => (++writes % 50 === 0 ? onCopy(edit) : context.change(edit));
    return act(call, { ...copyContext(context), change });
  };
}

export const foreignCart: Defect = {
  summary: 'once two users have items in their carts, one GET /cart is answered with the cart of the other',
  routes: { 'GET /cart': answerOtherCart },
};

/** Imitates a cache with a key that lacks the user. */
function answerOtherCart(act: SessionAction): SessionAction {
  let first: { readonly user: string; readonly reply: Reply } | undefined;
  let hasAnswered = false;
  return async (call, context) => {
    const reply = await act(call, context);
    const user = context.session?.record.user;
    if (hasAnswered || user === undefined || reply.body?.includes('"items":[]')) return reply;
    if (first === undefined || first.user === user) {
      first = { user, reply };
      return reply;
    }
    hasAnswered = true;
    return first.reply;
  };
}

const oneIn = 7;

export const duplicateOnRetry: Defect = {
  summary: `every ${oneIn}th add is carried out twice, as if the first try had not succeeded`,
  routes: { 'POST /cart': addTwice },
};

/** Imitates a client that retries after a lost answer, without an idempotency key. */
function addTwice(act: SessionAction): SessionAction {
  let adds = 0;
  return (call, context) => {
    if (++adds % oneIn !== 0) return act(call, context);
    const change: typeof context.change = async edit => {
      await context.change(edit);
      return context.change(edit);
    };
    return act(call, { ...copyContext(context), change });
  };
}

/** Work between reading the cart and writing it: prices are looked up, stock is reserved. */
const worksMs = 20;

export const tabsOverwrite: Defect = {
  summary: 'an add writes the cart that it read before its work, plus one item: of two parallel adds, one is lost',
  routes: { 'POST /cart': overwriteCart },
};

/** Imitates a wrong retry. The store does compare and set, but after a conflict the result is applied again, not the
 * change. */
function overwriteCart(act: SessionAction): SessionAction {
  return async (call, context) => {
    const data = structuredClone(context.session?.record.data ?? {});
    await delay(worksMs);
    const change: typeof context.change = edit => {
      edit(data);
      return context.change(current => void Object.assign(current, data));
    };
    return act(call, { ...copyContext(context), change });
  };
}

export const reviveAfterLogout: Defect = {
  summary: 'POST /logout is acknowledged and clears the cookie, and the session lives on under its token',
  routes: { 'POST /logout': keepSession },
};

/** Imitates a session that another process writes back: the browser forgets the token, the store does not. */
function keepSession(act: SessionAction): SessionAction {
  return async (call, context) => {
    const reply = await act(call, { ...copyContext(context), end: async () => undefined });
    return { ...reply, headers: { ...reply.headers, 'set-cookie': standardCookie.clear(false) } };
  };
}
