/** Server with express-session and connect-redis, set up as in their documentation. */
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { type Cart, listen, putInto, waitFor } from './cart.js';

declare module 'express-session' {
  interface SessionData {
    user: string;
    cart: Cart;
  }
}

const client = createClient({ url: process.env.REDIS_URL ?? '' });
await client.connect();

const app = express();
app.get('/health', (_request, response) => void response.end());
app.use(
  session({ store: new RedisStore({ client }), secret: 'a'.repeat(32), resave: false, saveUninitialized: false }),
);
app.post('/login', express.json(), (request, response) => {
  request.session.regenerate(() => {
    request.session.user = 'anna';
    request.session.cart = {};
    response.json({});
  });
});
app.get('/cart', (request, response) => {
  if (request.session.user === undefined) response.status(401).json({});
  else response.json({ cart: request.session.cart });
});
app.post('/cart', express.json(), async (request, response) => {
  await waitFor(request.body.waitMs);
  request.session.cart = putInto(request.session.cart ?? {}, request.body.sku);
  response.status(201).json({ cart: request.session.cart });
});
app.post('/logout', (request, response) => {
  request.session.destroy(() => response.json({}));
});
listen(port => app.listen(port, '127.0.0.1'));
