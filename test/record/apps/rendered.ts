import { createHmac, randomBytes } from 'node:crypto';
import { FileSessions } from '../../own-apps/file-sessions.js';
import { type Said, serve } from '../../own-apps/serve.js';

/**
 * Pages that a server renders, with much that is no part of a journey: styles, an image, a search that asks while one
 * types, a note of what was done last, forms for each line. Each page has another CSRF token, as Rails and Django write
 * it, in its head and in its forms. The cart has an id, which is part of the address of its forms.
 */
const sessions = new FileSessions(process.env.SESSIONS ?? '.');

function signToken(id: string, nonce = randomBytes(8).toString('hex')): string {
  return `${nonce}.${createHmac('sha256', 'key').update(`${nonce} ${id}`).digest('base64url')}`;
}

const isToken = (id: string, token: string) => token === signToken(id, token.split('.')[0]);

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}

function page(id: string, title: string, body: string): Said {
  const head = `<meta name="csrf-token" content="${signToken(id)}"><link rel="stylesheet" href="/style.css">`;
  return { body: `<!doctype html><title>${title}</title>${head}<img src="/logo.png" alt=""><h1>${title}</h1>${body}` };
}

function form(id: string, action: string, fields: string): string {
  const hidden = `<input type="hidden" name="authenticity_token" value="${signToken(id)}">`;
  return `<form method="post" action="${action}">${hidden}${fields}</form>`;
}

function cartPage(id: string, user: string, note: string): Said {
  const lines = sessions.items(id).map(item => {
    const remove = form(
      id,
      `${cartOf(id)}/remove`,
      `<input type="hidden" name="sku" value="${escapeHtml(item)}"><button>x</button>`,
    );
    return `<tr><td class="sku">${escapeHtml(item)}</td><td>${remove}</td></tr>`;
  });
  const add = form(id, `${cartOf(id)}/items`, '<input name="sku"><input name="note"><button id="add">Add</button>');
  const out = form(id, '/session/end', '<button id="out">Log out</button>');
  const search = `<input name="q" oninput="fetch('/search?q=' + encodeURIComponent(this.value))">`;
  const added = note === '' ? '' : `<p class="flash">${escapeHtml(note)} was added</p>`;
  return page(
    id,
    'Cart',
    `<nav>Signed in as <b class="name">${escapeHtml(user)}</b>${search}</nav>${added}<table>${lines.join('')}</table>${add}${out}`,
  );
}

/** The number of the cart of a session. */
function cartOf(id: string): string {
  return `/carts/${Number.parseInt(id.slice(0, 8), 16)}`;
}

serve(({ route, url, body, cookie }) => {
  if (route === 'GET /style.css') return { headers: { 'content-type': 'text/css' }, body: 'h1 { color: teal }' };
  const id = cookie('_shop');
  const user = sessions.userOf(id);
  const sent = new URLSearchParams(body);
  if (route === 'GET /session/new') {
    const visitor = user === undefined ? sessions.open() : id;
    const fields =
      '<input name="login[name]"><input name="login[pass]" type="password"><button id="in">Log in</button>';
    const headers = { 'set-cookie': `_shop=${visitor}; Path=/; HttpOnly; SameSite=Lax` };
    return { ...page(visitor, 'Log in', form(visitor, '/session', fields)), headers };
  }
  if (route.startsWith('POST') && !isToken(id, sent.get('authenticity_token') ?? ''))
    return { status: 422, body: 'bad token' };
  if (route === 'POST /session') {
    if (sent.get('login[pass]') !== 'secret') return { status: 303, headers: { location: '/session/new' }, body: '' };
    const own = sessions.open(sent.get('login[name]') ?? '');
    return {
      status: 303,
      headers: { 'set-cookie': `_shop=${own}; Path=/; HttpOnly; SameSite=Lax`, location: '/cart' },
      body: '',
    };
  }
  if (user === undefined || user === '') return { status: 302, headers: { location: '/session/new' }, body: '' };
  if (route === 'GET /search') return { body: { found: [url.searchParams.get('q')] } };
  if (route === 'POST /session/end') {
    sessions.end(id);
    return { status: 303, headers: { location: '/session/new' }, body: '' };
  }
  const forgotten = { headers: { 'set-cookie': 'flash=; Path=/; Max-Age=0' } };
  if (route === 'GET /cart') return { ...cartPage(id, user, decodeURIComponent(cookie('flash'))), ...forgotten };
  const sku = sent.get('sku') ?? '';
  if (route === `POST ${cartOf(id)}/items`) sessions.add(id, sku);
  if (route === `POST ${cartOf(id)}/remove`) sessions.remove(id, sku);
  const flash = `flash=${encodeURIComponent(sku)}; Path=/`;
  return { status: 303, headers: { location: '/cart', 'set-cookie': flash }, body: '' };
});
