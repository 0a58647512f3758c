import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readCookie, standardCookie } from '#src/sessions/cookie.js';
import type { Reply, SessionContext } from '#src/sessions/request-session.js';
import { unseal } from '#src/sessions/seal.js';
import type { Edit } from '#src/sessions/session.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { type Account, type Accounts, freshAccount } from '../accounts/accounts.js';
import { administrator } from '../accounts/passwords.js';
import { stepOf } from '../accounts/second-factor.js';
import { json } from '../refusal.js';
import { keepNonce, newNonce, openPreLogin } from '../routes/authentication.js';
import { type SessionAction, send } from '../routes/route.js';
import type { Defect } from './defect.js';

/** Returns a copy of the context, so that its methods can be replaced one by one. `session` and `why` are the present
 * ones. */
function copyContext(context: SessionContext): SessionContext {
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
