import type { Reply } from '#src/sessions/sessions.js';
import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';

export const foreignCart: Defect = {
  summary: 'once two users have something in their carts, one GET /cart is answered with the cart of the other',
  routes: { 'GET /cart': spoil },
};

/** As a cache whose key forgot the user. */
function spoil(act: VisitAction): VisitAction {
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
