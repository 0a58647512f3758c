import { randomBytes } from 'node:crypto';
import express from 'express';
import session from 'express-session';

/**
 * The shop of examples/express, mended: its cookie has SameSite, and a request that is still running cannot write a
 * session back that a logout has ended. `DEFECT` plants mistakes again, separated by commas.
 */
const { PORT = '0', DEFECT = '' } = process.env;
const has = defect => DEFECT.split(',').includes(defect);

/** The MemoryStore of express-session, which would take a session again after its end. */
class EndingStore extends session.MemoryStore {
  #ended = new Set();

  destroy(id, done) {
    this.#ended.add(id);
    super.destroy(id, done);
  }

  set(id, data, done) {
    if (this.#ended.has(id)) done?.();
    else super.set(id, data, done);
  }
}

const app = express();
app.get('/health', (_request, response) => {
  response.send('ok');
});
app.use(
  session({
    name: 'sid',
    secret: randomBytes(32).toString('hex'),
    resave: false,
    saveUninitialized: false,
    cookie: { sameSite: 'lax', httpOnly: !has('no-httponly') },
    store: has('late-write') ? new session.MemoryStore() : new EndingStore(),
  }),
);
app.use(express.urlencoded({ extended: false }));

app.use((request, response, next) => {
  request.session.csrf ??= randomBytes(16).toString('hex');
  if (request.method === 'POST' && request.body?._csrf !== request.session.csrf)
    response.status(403).send('invalid csrf token');
  else next();
});

app.get('/login', (request, response) => {
  response.send(`<form method="post"><input type="hidden" name="_csrf" value="${request.session.csrf}"></form>`);
});

app.post('/login', (request, response, next) => {
  if (request.body.password !== 'secret') return response.redirect('/login?wrong');
  const enter = () => {
    request.session.user = String(request.body.user);
    request.session.cart = [];
    response.redirect('/cart');
  };
  if (has('keep-id')) enter();
  else request.session.regenerate(error => (error ? next(error) : enter()));
});

app.use((request, response, next) => {
  if (request.session.user === undefined) response.redirect('/login');
  else next();
});

app.get('/cart', (request, response) => {
  const items = (request.session.cart ?? []).map(sku => `<li data-sku="${sku}">${sku}</li>`);
  const field = `<input type="hidden" name="_csrf" value="${request.session.csrf}">`;
  response.send(
    `<b id="user">${request.session.user}</b><ul>${items.join('')}</ul><form method="post">${field}</form>`,
  );
});

app.post('/cart', (request, response) => {
  request.session.cart?.push(String(request.body.sku));
  response.redirect('/cart');
});

app.post('/logout', (request, response, next) => {
  if (has('cookie-only-logout')) response.clearCookie('sid').redirect('/login');
  else request.session.destroy(error => (error ? next(error) : response.redirect('/login')));
});

app.listen(Number(PORT), '127.0.0.1');
