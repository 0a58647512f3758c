/**
 * The shop of server.js with holdfast/sessions in place of express-session. Without REDIS_URL the sessions are in its
 * memory, with it in Redis. RESERVE_MS is the time that an add waits for the stock.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { expressSessions, sessions } from 'holdfast/sessions/express';

const { PORT = '3000', REDIS_URL, RESERVE_MS = '0' } = process.env;

const kept = await sessions({ store: REDIS_URL ? 'redis' : 'memory', url: REDIS_URL });

const app = express();
app.get('/health', (_request, response) => response.send('ok'));
app.use(expressSessions(kept));
app.use(express.urlencoded({ extended: false }));

/** Every form carries the token of its session. A form with another token is refused. */
app.use(async (request, response, next) => {
  request.csrf = (await request.session.change(data => (data.csrf ??= newToken()))).csrf;
  if (request.method === 'POST' && request.body._csrf !== request.csrf) {
    response.status(403).send('invalid csrf token');
  } else next();
});

app.get('/login', (request, response) => {
  response.send(page('Log in', form(request, '/login', `${input('user')}${input('password', 'password')}`)));
});

app.post('/login', (request, response, next) => {
  if (request.body.password !== 'secret') return response.redirect('/login?wrong');
  const { user } = request.body;
  request.session.login(user, data => (data.cart = [])).then(() => response.redirect('/cart'), next);
});

app.use((request, response, next) => {
  if (request.session.user === undefined) response.redirect('/login');
  else next();
});

app.get('/cart', (request, response) => {
  const items = request.session.data.cart.map(
    sku => `<li data-sku="${escaped(sku)}">${escaped(sku)} ${form(request, '/cart/remove', hidden('sku', sku))}</li>`,
  );
  const add = form(request, '/cart', input('sku'));
  const out = form(request, '/logout', '');
  response.send(
    page(`Cart of <b id="user">${escaped(request.session.user)}</b>`, `<ul>${items.join('')}</ul>${add}${out}`),
  );
});

app.post('/cart', async (request, response) => {
  await delay(Number(RESERVE_MS));
  await request.session.change(data => data.cart.push(request.body.sku));
  response.redirect('/cart');
});

app.post('/cart/remove', (request, response) => {
  request.session.change(data => (data.cart = data.cart.filter(sku => sku !== request.body.sku)));
  response.redirect('/cart');
});

app.post('/logout', (request, response, next) => {
  request.session.logout().then(() => response.redirect('/login'), next);
});

function newToken() {
  return randomBytes(16).toString('base64');
}

function page(title, body) {
  return `<!doctype html><title>Shop</title><h1>${title}</h1>${body}`;
}

function form(request, action, fields) {
  return `<form method="post" action="${action}">${hidden('_csrf', request.csrf)}${fields}<button>OK</button></form>`;
}

function hidden(name, value) {
  return `<input type="hidden" name="${name}" value="${escaped(value)}">`;
}

function input(name, type = 'text') {
  return `<input name="${name}" type="${type}">`;
}

function escaped(text) {
  return String(text).replace(/[&<>"'=]/g, character => `&#${character.charCodeAt(0)};`);
}

const server = app.listen(Number(PORT), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
