import { IncomingMessage, type ServerResponse } from 'node:http';
import { cameOverTls, cookieName, readCookie } from '#src/sessions/cookie.js';
import { unseal } from '#src/sessions/seal.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { json } from '../refusal.js';
import { type SessionAction, send } from '../routes/route.js';
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

export const forwardedHost: Defect = {
  summary: 'the origin of a request is compared with x-original-host or x-forwarded-host, which any client can send',
  listener: next => (request, response) => {
    const { headers } = request;
    const host = headers['x-original-host'] ?? headers['x-forwarded-host'];
    if (typeof host === 'string') headers.host = host;
    next(request, response);
  },
};

export const looseNames: Defect = {
  summary: 'the session cookie is read under any name that ends with its own, in any spelling',
  listener: next => (request, response) => {
    const { headers } = request;
    const name = cookieName(cameOverTls(headers));
    headers.cookie = headers.cookie?.replace(/(?<=^|;\s*)[^=;]*?session[^=;]*(?==)/gi, name);
    next(request, response);
  },
};

export const bareCookies: Defect = {
  summary: 'the session cookie has wrong attributes and its plain name; body and headers repeat its value',
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
    append('x-session', token);
    append(name, '__Host-seen=1; Path=/; HttpOnly; SameSite=Lax');
    return append(name, `session=${token}; Path=/shop; Domain=127.0.0.1; Max-Age=86400`);
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

const namingHeaders = /user|session|^from$|^authorization$/;

export const userHeader: Defect = {
  summary: 'GET /me trusts a header that names a user, and the cookie of a known browser',
  listener: (next, keys) => (request, response) => {
    const user = userNamedBy(request, keys());
    if (user === undefined || request.url !== '/me') next(request, response);
    else send(response, json(200, { user }));
  },
};

function userNamedBy({ headers }: IncomingMessage, keys: KeyRing): string | undefined {
  const named = Object.entries(headers).find(([name]) => namingHeaders.test(name) && name !== 'user-agent');
  if (named !== undefined) return String(named[1]).replace(/^Bearer /, '');
  const { token } = readCookie(headers.cookie, 'known-browser');
  const opened = token === undefined ? 'malformed' : unseal(keys, 'known-browser', token);
  return typeof opened === 'string' ? undefined : JSON.parse(opened.text)[0];
}

export const anyMethod: Defect = {
  summary:
    'a GET with x-http-method-override, _method, a body, a name and a password, or Basic is carried out as a POST',
  listener: next => (request, response) => next(toPost(request) ?? request, response),
};

/** Imitates middleware that was made for old browsers. Returns undefined for a request that stays as it is. */
function toPost(request: IncomingMessage): IncomingMessage | undefined {
  const { method, headers } = request;
  const [path = '', text = ''] = (request.url ?? '').split('?');
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const query = new URLSearchParams(text);
  const wanted = headers['x-http-method-override'] ?? query.get('_method');
  const basic = readBasicLogin(headers.authorization);
  const login = basic ?? (query.has('password') ? readLogin(query) : undefined);
  if (login !== undefined) return forgeRequest(request, 'POST', '/login', login);
  if (headers['content-length'] !== undefined) request.method = 'POST';
  query.delete('_method');
  return typeof wanted === 'string' ? forgeRequest(request, wanted, path, Object.fromEntries(query)) : undefined;
}

function readLogin(query: URLSearchParams): object {
  return { user: query.get('user'), password: query.get('password') };
}

function readBasicLogin(header: string | undefined): object | undefined {
  const [, encoded = ''] = /^Basic (.*)$/.exec(header ?? '') ?? [];
  const [user, password] = Buffer.from(encoded, 'base64').toString().split(':');
  return password === undefined ? undefined : { user, password };
}

function forgeRequest({ socket, headers }: IncomingMessage, method: string, url: string, body: object) {
  const forged = new IncomingMessage(socket);
  const text = JSON.stringify(body);
  const about = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  Object.assign(forged, { method, url, headers: { ...headers, ...about }, httpVersion: '1.1', complete: true });
  forged.push(text);
  forged.push(null);
  return forged;
}

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
