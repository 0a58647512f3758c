/**
 * A small shop with Fastify and holdfast/sessions: a JSON API, the cart in the session. A visitor has a cart before the
 * login, and keeps it through the login. Without REDIS_URL the sessions are in its memory, with it in Redis.
 * RESERVE_MS is the time that an add waits for the stock.
 */
import { setTimeout as delay } from 'node:timers/promises';
import fastify from 'fastify';
import { fastifySessions, sessions } from 'holdfast/sessions/fastify';

const { PORT = '3000', REDIS_URL, RESERVE_MS = '0' } = process.env;

const kept = await sessions({ store: REDIS_URL ? 'redis' : 'memory', url: REDIS_URL });
const app = fastify({ forceCloseConnections: 'idle' });
app.get('/health', async () => 'ok');
app.addHook('onClose', () => kept.close());

app.register(async shop => {
  shop.register(fastifySessions(kept));

  shop.post('/login', async ({ body, session }, reply) => {
    if (body.password !== 'secret') return reply.code(403).send({ error: 'wrong password' });
    await session.login(body.user);
    return { user: session.user };
  });

  shop.get('/cart', async ({ session }, reply) => {
    if (session.user === undefined) return reply.code(401).send({ error: 'log in first' });
    return { user: session.user, items: session.data.cart ?? [] };
  });

  shop.post('/cart', async ({ body, session }, reply) => {
    await delay(Number(RESERVE_MS));
    await session.change(data => {
      data.cart = [...(data.cart ?? []), body.sku];
    });
    return reply.code(201).send({ sku: body.sku });
  });

  shop.post('/cart/remove', async ({ body, session }) => {
    await session.change(data => {
      data.cart = (data.cart ?? []).filter(sku => sku !== body.sku);
    });
    return { sku: body.sku };
  });

  shop.post('/logout', async ({ session }) => {
    await session.logout();
    return {};
  });
});

await app.listen({ port: Number(PORT), host: '127.0.0.1' });
process.once('SIGTERM', () => app.close().then(() => process.exit(0)));
