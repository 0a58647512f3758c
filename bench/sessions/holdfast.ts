/** Server with the sessions of Holdfast on node:http, in the mode of its environment. */
import { createServer } from 'node:http';
import { isModeName, modes } from '#src/modes.js';
import type { SessionData } from '#src/sessions/session.js';
import type { Handler } from '#src/sessions/session-context.js';
import { openSessions } from '#src/sessions/start-sessions.js';
import { type Cart, listen, putInto } from './cart.js';

const { HOLDFAST_MODE: mode = '', REDIS_URL, MEMCACHED_URL, POSTGRES_URL } = process.env;
if (!isModeName(mode)) throw new Error(`no mode "${mode}"`);
const { strategy, store } = modes[mode];
const storeUrl = { memory: undefined, redis: REDIS_URL, memcached: MEMCACHED_URL, postgres: POSTGRES_URL }[store];
const sessions = await openSessions({ strategy, store, storeUrl });
if (!(await sessions.ready(5_000))) throw new Error('the session store is not up');

const headers = { 'content-type': 'application/json' };
const answer = (status: number, value: object) => ({ status, headers, body: JSON.stringify(value) });

const read: Handler = async ({ session }) =>
  session === undefined ? answer(401, {}) : answer(200, session.record.data);

const write =
  (sku: string): Handler =>
  async context => {
    if (context.session === undefined) return answer(401, {});
    const data = await context.change(data => {
      data.cart = putInto(cartOf(data), sku);
    });
    return answer(201, data);
  };

const logIn: Handler = async context => {
  await context.begin('anna', { cart: {} });
  return answer(200, {});
};

function cartOf({ cart }: SessionData): Cart {
  return Object.fromEntries(Object.entries(cart ?? {}).map(([sku, quantity]) => [sku, Number(quantity)]));
}

const server = createServer((request, response) => {
  if (request.url === '/health') response.end();
  else if (request.method === 'GET') void sessions.respond(request, response, read);
  else if (request.url === '/login') void sessions.respond(request, response, logIn);
  else void bodyOf(request).then(({ sku }) => sessions.respond(request, response, write(sku)));
});

async function bodyOf(request: AsyncIterable<Buffer>): Promise<{ sku: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

listen(port => server.listen(port, '127.0.0.1'));
