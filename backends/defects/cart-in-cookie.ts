import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';

export const cartInCookie: Defect = {
  summary: 'POST /cart sets the whole cart as a cookie too, however long it is',
  routes: { 'POST /cart': spoil },
};

function spoil(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const reply = await act(call, visit);
    const cart = encodeURIComponent(JSON.stringify(visit.session?.record.data.cart ?? []));
    const headers = { ...reply.headers, 'set-cookie': `cart=${cart}; Path=/; HttpOnly; SameSite=Lax` };
    return { ...reply, headers };
  };
}
