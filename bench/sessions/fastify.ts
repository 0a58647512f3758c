/** Server with @fastify/session and connect-redis, set up as in their documentation. */
import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import { RedisStore } from 'connect-redis';
import fastify from 'fastify';
import { createClient } from 'redis';
import { type Cart, listen, putInto, waitFor } from './cart.js';

declare module 'fastify' {
  interface Session {
    user: string;
    cart: Cart;
  }
}

const client = createClient({ url: process.env.REDIS_URL ?? '' });
await client.connect();

const app = fastify();
app.get('/health', async () => '');
await app.register(async shop => {
  await shop.register(fastifyCookie);
  await shop.register(fastifySession, {
    secret: 'a'.repeat(32),
    store: new RedisStore({ client }),
    cookie: { secure: false },
    saveUninitialized: false,
  });
  shop.post('/login', async request => {
    await request.session.regenerate();
    request.session.user = 'anna';
    request.session.cart = {};
    return {};
  });
  shop.get('/cart', async (request, reply) =>
    request.session.user === undefined ? reply.code(401).send({}) : { cart: request.session.cart },
  );
  shop.post<{ Body: { sku: string; waitMs?: number } }>('/cart', async (request, reply) => {
    await waitFor(request.body.waitMs);
    request.session.cart = putInto(request.session.cart ?? {}, request.body.sku);
    return reply.code(201).send({ cart: request.session.cart });
  });
  shop.post('/logout', async request => {
    await request.session.destroy();
    return {};
  });
});
listen(port => app.listen({ port, host: '127.0.0.1' }));
