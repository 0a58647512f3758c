import { readCookie } from '#src/sessions/cookie.js';
import { unseal } from '#src/sessions/seal.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Account } from '../accounts/account.js';
import type { Accounts } from '../accounts/accounts.js';
import { stepOf } from '../accounts/second-factor.js';
import { send } from '../answer.js';
import { json } from '../refusal.js';
import { openPreLogin } from '../routes/login.js';
import type { SessionAction } from '../routes/route.js';
import type { Defect } from './defect.js';

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

/** Replaces a code of another time by the present one. It needs the accounts and the keys, which it gets at the start. */
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
