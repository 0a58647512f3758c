import { keepNonce, nonceMs } from '../accounts/nonce.js';
import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';

export const noNonce: Defect = {
  summary: 'POST /account/password takes any nonce: whoever has the session can change the password',
  routes: { 'POST /account/password': spoil },
};

function spoil(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const { nonce } = Object(call.body);
    if (visit.session !== undefined && typeof nonce === 'string')
      await visit.change(data => keepNonce(data, { nonce, untilMs: Date.now() + nonceMs }));
    return act(call, visit);
  };
}
