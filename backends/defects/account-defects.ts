import { randomInt } from 'node:crypto';
import { readCookie } from '#src/sessions/cookie.js';
import { unseal } from '#src/sessions/seal.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { type Account, freshAccount } from '../accounts/account.js';
import type { Accounts } from '../accounts/accounts.js';
import { keepNonce, newNonce } from '../accounts/nonce.js';
import { administrator } from '../accounts/passwords.js';
import { stepOf } from '../accounts/second-factor.js';
import { send } from '../answer.js';
import { json } from '../refusal.js';
import { openPreLogin } from '../routes/login.js';
import type { SessionAction } from '../routes/route.js';
import { copyContext } from './cart-writes.js';
import type { Defect } from './defect.js';

export const noNonce: Defect = {
  summary: 'a sensitive change accepts any nonce and none: any holder of the session can change the password',
  routes: {
    'POST /account/password': acceptAnyNonce,
    'POST /account/totp': acceptAnyNonce,
    'POST /account/totp/remove': acceptAnyNonce,
    'POST /account/sessions/end': acceptAnyNonce,
    'POST /account/sessions/end-others': acceptAnyNonce,
    'POST /logout-everywhere': acceptAnyNonce,
  },
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), nonceSpentUntilMs: 0 }),
    save: (user, account) => accounts.save(user, account),
  }),
};

function acceptAnyNonce(act: SessionAction): SessionAction {
  return async (call, context) => {
    if (context.session === undefined) return act(call, context);
    const { nonce = '', ...fields } = Object(call.body);
    await context.change(data => keepNonce(data, { ...newNonce(Date.now(), freshAccount), nonce }));
    return act({ ...call, body: { ...fields, nonce } }, context);
  };
}

export const anyPassword: Defect = {
  summary: 'POST /account/reauthenticate accepts any password',
  routes: {
    'POST /account/reauthenticate': act => (call, context) =>
      act({ ...call, body: { ...Object(call.body), password: process.env.SHOP_PASSWORD ?? '' } }, context),
  },
};

export const everyoneAdministers: Defect = {
  summary: 'the routes of the administrator do not check the role',
  routes: {
    'POST /admin/disable': actAsAdministrator,
    'POST /admin/enable': actAsAdministrator,
    'POST /admin/end-sessions': actAsAdministrator,
  },
};

function actAsAdministrator(act: SessionAction): SessionAction {
  return (call, context) => {
    const { session } = context;
    if (session === undefined) return act(call, context);
    const data = { ...session.record.data, role: 'administrator' };
    const record = { ...session.record, user: administrator, data };
    return act(call, { ...copyContext(context), session: { ...session, record } });
  };
}

export const unchangedAccounts: Defect = {
  summary: 'a new password and the end of an account are acknowledged and not kept',
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), disabled: false, password: null }),
    save: (user, account) => accounts.save(user, account),
  }),
};

export const forgetfulAccounts: Defect = {
  summary: 'an account forgets its last one-time code and its number of wrong tries',
  accounts: accounts => ({
    read: async user => ({ ...(await accounts.read(user)), ...noTries }),
    save: (user, account) => accounts.save(user, account),
  }),
};

const noTries: Partial<Account> = { lastStep: 0, wrongTries: {} };

export const anyAddress: Defect = {
  summary: 'each request counts as one from another address',
  listener: next => (request, response) => {
    request.headers['x-real-ip'] = `203.0.113.${randomInt(256)}-${randomInt(1_000_000)}`;
    next(request, response);
  },
};

export const oneCounter: Defect = {
  summary: 'no browser is known: the wrong tries of all clients count for the same counter',
  listener: next => (request, response) => {
    const { headers } = request;
    headers.cookie = headers.cookie?.replace(/known-browser=[^;]*/g, 'ignored=1');
    next(request, response);
  },
};

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

export const halfLogins: Defect = {
  summary: 'GET /me accepts a pre-authentication token as a session, in its own cookie and in that of a session',
  listener: (next, keys) => (request, response) => {
    const { cookie } = request.headers;
    const tokens = ['pre-login', 'session'].flatMap(name => readCookie(cookie, name).token?.split('~') ?? []);
    const user = tokens.map(token => openPreLogin(keys(), token, Date.now())?.user).find(found => found !== undefined);
    if (user === undefined || request.url !== '/me') next(request, response);
    else send(response, json(200, { user }));
  },
};

const stepMs = 30_000;
/** The nearest steps are left to the shop. */
const stepsLeft = 1;
const stepsAround = 25;

export const wideTotp: Defect = makeWideTotp();

/** Accepts a code of another time step as if it were the present one. It gets the accounts and keys at the start. */
function makeWideTotp(): Defect {
  let kept: Accounts | undefined;
  let ring: () => KeyRing = () => [];
  const codeNow: (act: SessionAction) => SessionAction = act => async (call, context) => {
    const token = readCookie(call.cookies, 'pre-login').token;
    const user = openPreLogin(ring(), token, Date.now())?.user;
    const account = user === undefined ? undefined : await kept?.read(user);
    const isRight = account !== undefined && isNearCode(account, ring(), String(Object(call.body).code));
    return isRight ? context.begin(user ?? '', {}).then(() => json(200, { user: user ?? '' })) : act(call, context);
  };
  return {
    summary: `a one-time code is accepted for ${stepsAround} time steps before and after its own`,
    accounts: accounts => {
      kept = accounts;
      return accounts;
    },
    listener: (next, keys) => {
      ring = keys;
      return next;
    },
    routes: { 'POST /login/totp': codeNow },
  };
}

function isNearCode({ totp }: Account, keys: KeyRing, code: string): boolean {
  const opened = totp === null ? 'malformed' : unseal(keys, 'totp', totp);
  if (typeof opened === 'string') return false;
  const { secret } = JSON.parse(opened.text);
  const steps = Array.from({ length: 2 * stepsAround + 1 }, (_, at) => at - stepsAround);
  const others = steps.filter(step => Math.abs(step) > stepsLeft);
  return others.some(step => stepOf(secret, code, Date.now() + step * stepMs) !== undefined);
}
