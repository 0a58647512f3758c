/**
 * A small shop with node:http and holdfast/sessions: a JSON API, the cart in the session. A visitor has a cart before
 * the login, and keeps it through the login. Without REDIS_URL the sessions are in its memory, with it in Redis.
 * RESERVE_MS is the time that an add waits for the stock.
 */
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { sessions } from 'holdfast/sessions';

const { PORT = '3000', REDIS_URL, RESERVE_MS = '0' } = process.env;

const kept = await sessions({ store: REDIS_URL ? 'redis' : 'memory', url: REDIS_URL });

const routes = {
  'POST /login': async (session, { user, password }) => {
    if (password !== 'secret') return [403, { error: 'wrong password' }];
    await session.login(user);
    return [200, { user }];
  },
  'GET /cart': async session => {
    if (session.user === undefined) return [401, { error: 'log in first' }];
    return [200, { user: session.user, items: session.data.cart ?? [] }];
  },
  'POST /cart': async (session, { sku }) => {
    await delay(Number(RESERVE_MS));
    await session.change(data => {
      data.cart = [...(data.cart ?? []), sku];
    });
    return [201, { sku }];
  },
  'POST /cart/remove': async (session, { sku }) => {
    await session.change(data => {
      data.cart = (data.cart ?? []).filter(each => each !== sku);
    });
    return [200, { sku }];
  },
  'POST /logout': async session => {
    await session.logout();
    return [200, {}];
  },
};

const shop = kept.listener(async (request, response, session) => {
  const act = routes[`${request.method} ${request.url}`];
  const hasJson = request.headers['content-type'] === 'application/json';
  const [status, body] = act ? await act(session, hasJson ? await json(request) : {}) : [404, {}];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

const server = createServer((request, response) => {
  if (request.url === '/health') response.end('ok');
  else shop(request, response);
});
server.listen(Number(PORT), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
