import type { Account } from '../accounts/account.js';
import { keepNonce, nonceMs } from '../accounts/nonce.js';
import type { VisitAction } from '../routes/route.js';
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

export const forgetfulAccounts: Defect = {
  summary: 'an account forgets which one-time code it took last, and how many wrong ones there were',
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), ...forgotten }),
    save: (user, account) => accounts.save(user, account),
  }),
};

const forgotten: Partial<Account> = {
  lastStep: 0,
  tries: 0,
  lockedUntilMs: 0,
  strangerTries: 0,
  strangersLockedUntilMs: 0,
};

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
