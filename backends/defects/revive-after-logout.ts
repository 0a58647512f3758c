import { clearCookie } from '#src/sessions/cookie.js';
import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';
import { visitCopy } from './visit-copy.js';

export const reviveAfterLogout: Defect = {
  summary: 'POST /logout is acknowledged and clears the cookie, and the session lives on under its token',
  routes: { 'POST /logout': spoil },
};

/** As a session that is written back by whoever still held it: the browser forgets the token, the store does not. */
function spoil(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const reply = await act(call, { ...visitCopy(visit), end: async () => undefined });
    return { ...reply, headers: { ...reply.headers, 'set-cookie': clearCookie(false) } };
  };
}
