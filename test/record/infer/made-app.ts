import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener } from 'node:http';

/** What a made app is like: each key is one way in which real apps differ. */
export interface AppKind {
  /** How the login and the add are sent. */
  readonly sends: 'form' | 'multipart' | 'json' | 'query';
  /** Where the token against forged requests is shown. It is new after each login. */
  readonly csrf: 'none' | 'hidden' | 'meta' | 'cookie' | 'json';
  readonly session: 'cookie' | 'bearer';
  /** How a write is answered: a redirect to the cart, the page itself, or only what was sent. */
  readonly answers: 'redirect' | 'page' | 'echo';
  readonly cart: 'html' | 'json' | 'map';
  readonly ids: boolean;
  /** How a request without a login is answered. */
  readonly anonymous: 'status' | 'redirect' | 'page';
  readonly user: 'plain' | 'email';
}

export const plainKind: AppKind = {
  sends: 'form',
  csrf: 'none',
  session: 'cookie',
  answers: 'redirect',
  cart: 'html',
  ids: false,
  anonymous: 'redirect',
  user: 'plain',
};

interface Session {
  readonly id: string;
  readonly csrf: string;
  readonly user?: string;
  readonly cart: number;
  readonly items: string[];
}

/** Escapes more than needed, as several template engines do. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"'=]/g, character => `&#${character.charCodeAt(0)};`);
}

/** Makes an app of this kind. It keeps its sessions in memory. */
export function makeApp(kind: AppKind): RequestListener {
  const sessions = new Map<string, Session>();
  let carts = 41;

  return async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url ?? '/', 'http://app');
    const found = sessions.get(idOf(request));
    const session = found ?? open();
    const cookies = found === undefined && kind.session === 'cookie' ? [`sid=${session.id}; Path=/; HttpOnly`] : [];
    const sent = readFields(kind, request, url, text);
    const isPage = kind.cart === 'html';
    const say = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
      const isText = typeof body === 'string';
      if (kind.csrf === 'cookie') cookies.push(`XSRF-TOKEN=${encodeURIComponent(session.csrf)}; Path=/`);
      response.writeHead(status, {
        'content-type': isText ? 'text/html; charset=utf-8' : 'application/json',
        'set-cookie': cookies,
        ...headers,
      });
      response.end(isText ? body : JSON.stringify(body));
    };
    const refuse = () => {
      if (kind.anonymous === 'redirect') return say(302, '', { location: '/login' });
      const status = kind.anonymous === 'status' ? 401 : 200;
      return say(
        status,
        isPage
          ? page(session, `<h1>Please log in</h1>${form(session, '/login', '<input name="name">')}`)
          : { error: { code: 'LOGIN_NEEDED' } },
      );
    };
    const showCart = (shown: Session) => say(200, isPage ? page(shown, cartPage(shown)) : cartJson(shown));
    const route = `${request.method} ${url.pathname}`;
    if (route === 'GET /login')
      return say(200, isPage ? page(session, form(session, '/login', '<input name="name">')) : { csrf: session.csrf });
    const isWrite = request.method !== 'GET';
    const told = sent.get('_csrf') ?? request.headers['x-csrf-token'];
    if (
      isWrite &&
      kind.csrf !== 'none' &&
      kind.session === 'cookie' &&
      url.pathname !== '/cart' &&
      told !== session.csrf
    )
      return say(403, 'invalid token');
    if (url.pathname === '/login' && isWrite) {
      sessions.delete(session.id);
      const entered = open(sent.get('name') ?? '');
      if (kind.session === 'cookie') cookies.splice(0, 1, `sid=${entered.id}; Path=/; HttpOnly`);
      if (kind.csrf === 'cookie') cookies.push(`XSRF-TOKEN=${encodeURIComponent(entered.csrf)}; Path=/`);
      if (kind.answers === 'redirect') return redirect(cookies, response, `/cart`);
      const made = {
        welcome: true,
        cartId: entered.cart,
        ...(kind.session === 'bearer' ? { access_token: entered.id } : {}),
      };
      return isPage ? showCart(entered) : say(200, made);
    }
    if (session.user === undefined) return refuse();
    if (route === 'GET /me') return say(200, { id: session.cart, name: nameOf(session), csrf: session.csrf });
    if (/\/(add)$/.test(url.pathname)) {
      if (kind.ids && !url.pathname.includes(`/${session.cart}/`)) return say(404, { error: 'no such cart' });
      session.items.push(sent.get('sku') ?? '');
      if (kind.answers === 'redirect') return redirect(cookies, response, '/cart');
      return kind.answers === 'page'
        ? showCart(session)
        : say(201, isPage ? page(session, '<p>done</p>') : { added: sent.get('sku') });
    }
    if (url.pathname === '/logout') {
      sessions.delete(session.id);
      cookies.push('sid=; Path=/; Max-Age=0');
      return redirect(cookies, response, '/login');
    }
    return url.pathname.startsWith('/cart') ? showCart(session) : say(404, 'not here');
  };

  function open(user?: string): Session {
    carts += 1;
    const session: Session = {
      id: randomUUID(),
      csrf: randomBytes(16).toString('base64'),
      cart: carts,
      items: [],
      ...(user === undefined ? {} : { user }),
    };
    sessions.set(session.id, session);
    return session;
  }

  function idOf({ headers }: IncomingMessage): string {
    if (kind.session === 'bearer') return (headers.authorization ?? '').replace(/^Bearer /, '');
    return /(?:^|; )sid=([^;]*)/.exec(headers.cookie ?? '')?.[1] ?? '';
  }

  function nameOf({ user = '' }: Session): string {
    return kind.user === 'email' ? `${user}@example.com` : user;
  }

  function page(session: Session, body: string): string {
    const meta = kind.csrf === 'meta' ? `<meta name="csrf-token" content="${escapeHtml(session.csrf)}">` : '';
    return `<!doctype html><title>Shop</title>${meta}<nav><ul><li><a href="/">Home</a></li></ul></nav>${body}`;
  }

  function form(session: Session, action: string, fields: string): string {
    const token =
      kind.csrf === 'hidden' ? `<input type="hidden" name="_csrf" value="${escapeHtml(session.csrf)}">` : '';
    const encoding = kind.sends === 'multipart' ? ' enctype="multipart/form-data"' : '';
    return `<form method="post" action="${action}"${encoding}>${token}${fields}<button>OK</button></form>`;
  }

  function addPath({ cart }: Session): string {
    return kind.ids ? `/cart/${cart}/add` : '/cart/add';
  }

  function cartPage(session: Session): string {
    const rows = session.items.map(
      (item, i) => `<tr id="row-${i}"><td>${i + 1}</td><td class="sku">${escapeHtml(item)}</td></tr>`,
    );
    return `<h1>Cart of <b class="user">${escapeHtml(nameOf(session))}</b></h1><table>${rows.join('\n')}</table>${form(session, addPath(session), '<input name="sku">')}${form(session, '/logout', '')}`;
  }

  function cartJson(session: Session): unknown {
    const items = session.items.map((sku, i) => ({ row: i, sku, quantity: 1 }));
    const counts = Object.fromEntries(session.items.map(sku => [sku, 1]));
    return { owner: nameOf(session), cart: { id: session.cart, lines: kind.cart === 'map' ? counts : items } };
  }
}

function redirect(cookies: readonly string[], response: Parameters<RequestListener>[1], location: string): void {
  response.writeHead(303, { location, 'set-cookie': [...cookies] }).end();
}

function readFields(kind: AppKind, request: IncomingMessage, url: URL, text: string): Map<string, string> {
  const type = request.headers['content-type'] ?? '';
  const query = [...url.searchParams];
  if (text === '') return new Map(query);
  if (type.includes('json')) return new Map([...query, ...Object.entries<string>(JSON.parse(text))]);
  if (kind.sends === 'multipart' && !type.includes('multipart')) return new Map(query);
  if (!type.includes('multipart')) return new Map([...query, ...new URLSearchParams(text)]);
  return new Map(
    [...text.matchAll(/name="([^"]*)"\r\n\r\n(.*?)\r\n/gs)].map(([, name = '', value = '']) => [name, value]),
  );
}
