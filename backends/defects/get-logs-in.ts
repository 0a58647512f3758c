import type { VisitAction } from '../route.js';
import type { Defect } from './defect.js';

export const getLogsIn: Defect = {
  summary: 'GET /me?user= logs in whomever a link names, and GET /cart gives every visitor a session',
  routes: { 'GET /me': byLink, 'GET /cart': asGuest },
};

function byLink(act: VisitAction): VisitAction {
  return async (call, visit) => {
    const user = call.query.get('user');
    if (user !== null) await visit.begin(user, {});
    return act(call, visit);
  };
}

function asGuest(act: VisitAction): VisitAction {
  return async (call, visit) => {
    if (visit.session === undefined) await visit.begin('guest', {});
    return act(call, visit);
  };
}
