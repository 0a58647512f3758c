import type { ServerResponse } from 'node:http';
import { send } from '../answer.js';
import { json } from '../refusal.js';
import type { SessionAction } from '../routes/route.js';
import type { Defect } from './defect.js';

export const anyOrigin: Defect = {
  summary: 'the origin of a request and the type of its body are not checked',
  listener: next => (request, response) => {
    const { headers } = request;
    delete headers.origin;
    delete headers['sec-fetch-site'];
    if (headers['content-type'] !== undefined) headers['content-type'] = 'application/json';
    next(request, response);
  },
};

export const bareCookies: Defect = {
  summary: 'a session cookie is set without attributes and under its plain name, and the answer repeats its value',
  listener: next => (request, response) => {
    stripAttributes(response);
    next(request, response);
  },
};

/** Removes the attributes of the session cookie. The sessions set their cookie last, and then end the answer with its
 * whole body. */
function stripAttributes(response: ServerResponse): void {
  const append = response.appendHeader.bind(response);
  const end = response.end.bind(response);
  let token = '';
  response.appendHeader = (name, value) => {
    const [, given] = /^(?:__Host-)?session=([^;]+)/.exec(String(value)) ?? [];
    if (given === undefined) return append(name, value);
    token = given;
    return append(name, `session=${token}; Path=/`);
  };
  response.end = (chunk: unknown) => {
    const text = String(chunk ?? '');
    return end(token === '' ? text : text.replace(/\}\s*$/, `,"token":"${token}"}\n`));
  };
}

const oneIn = 3;

export const dropSetCookie: Defect = {
  summary: `the answer to every ${oneIn}rd login comes without the session cookie`,
  listener: next => {
    let logins = 0;
    return (request, response) => {
      if (request.url === '/login' && ++logins % oneIn === 0) stripCookies(response);
      next(request, response);
    };
  },
};

/** Imitates a cache or proxy in front that strips private headers. The sessions append their cookie with this call. */
function stripCookies(response: Parameters<Parameters<NonNullable<Defect['listener']>>[0]>[1]): void {
  const append = response.appendHeader.bind(response);
  response.appendHeader = (name, value) => (name.toLowerCase() === 'set-cookie' ? response : append(name, value));
}

export const userHeader: Defect = {
  summary: 'GET /me trusts the header x-forwarded-user, as if only a proxy could set it',
  listener: next => (request, response) => {
    const user = request.headers['x-forwarded-user'];
    if (user === undefined || request.url !== '/me') next(request, response);
    else send(response, json(200, { user }));
  },
};

export const cartInCookie: Defect = {
  summary: 'POST /cart sets the whole cart as a cookie too, however long it is',
  routes: { 'POST /cart': setCartCookie },
};

function setCartCookie(act: SessionAction): SessionAction {
  return async (call, context) => {
    const reply = await act(call, context);
    const cart = encodeURIComponent(JSON.stringify(context.session?.record.data.cart ?? []));
    const headers = { ...reply.headers, 'set-cookie': `cart=${cart}; Path=/; HttpOnly; SameSite=Lax` };
    return { ...reply, headers };
  };
}
