import type { Account } from '../accounts/account.js';
import { keepNonce, nonceMs } from '../accounts/nonce.js';
import type { SessionAction } from '../routes/route.js';
import type { Defect } from './defect.js';

export const noNonce: Defect = {
  summary: 'POST /account/password accepts any nonce: any holder of the session can change the password',
  routes: { 'POST /account/password': acceptAnyNonce },
};

function acceptAnyNonce(act: SessionAction): SessionAction {
  return async (call, context) => {
    const { nonce } = Object(call.body);
    if (context.session !== undefined && typeof nonce === 'string')
      await context.change(data => keepNonce(data, { nonce, untilMs: Date.now() + nonceMs }));
    return act(call, context);
  };
}

export const forgetfulAccounts: Defect = {
  summary: 'an account forgets its last one-time code and its number of wrong tries',
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), ...noTries }),
    save: (user, account) => accounts.save(user, account),
  }),
};

const noTries: Partial<Account> = { lastStep: 0, wrongTries: {} };

export const getLogsIn: Defect = {
  summary: 'GET /me?user= logs in the user that a link names, and GET /cart gives every visitor a session',
  routes: { 'GET /me': logInByLink, 'GET /cart': beginGuestSession },
};

function logInByLink(act: SessionAction): SessionAction {
  return async (call, context) => {
    const user = call.query.get('user');
    if (user !== null) await context.begin(user, {});
    return act(call, context);
  };
}

function beginGuestSession(act: SessionAction): SessionAction {
  return async (call, context) => {
    if (context.session === undefined) await context.begin('guest', {});
    return act(call, context);
  };
}
