/** Server with the sessions of Holdfast on node:http, in the mode of its environment. */
import { createServer } from 'node:http';
import { isModeName, type Mode, modes } from '#src/modes.js';
import { type AppSession, sessions } from '#src/sessions/index.js';
import { storeDescriptors } from '#src/shared/stores.js';
import { type Body, type Cart, listen, putInto, readBody, waitFor } from './cart.js';

declare module '#src/sessions/app/app-session.js' {
  interface AppData {
    cart?: Cart;
  }
}

const { HOLDFAST_MODE: mode = '' } = process.env;
if (!isModeName(mode)) throw new Error(`no mode "${mode}"`);
const { strategy, store }: Mode = modes[mode];
const url = store === 'memory' ? undefined : process.env[storeDescriptors[store].variable];
const kept = await sessions({ strategy, store, url, keys: `bench:${'ab'.repeat(32)}` });
if (!(await kept.ready(5_000))) throw new Error('the session store is not up');

type Answer = readonly [status: number, value: object];

async function add(session: AppSession, { sku = '', waitMs }: Body): Promise<Answer> {
  await waitFor(waitMs);
  if (session.user === undefined) return [401, {}];
  return [201, await session.change(data => (data.cart = putInto(data.cart ?? {}, sku)))];
}

async function act(session: AppSession, route: string, body: Body): Promise<Answer> {
  if (route === 'GET /cart') return session.user === undefined ? [401, {}] : [200, session.data];
  if (route === 'POST /cart') return add(session, body);
  if (route === 'POST /login') await session.login(body.user ?? 'anna', data => (data.cart = {}));
  else await session.logout();
  return [200, {}];
}

const listener = kept.listener(async (request, response, session) => {
  const body = request.method === 'POST' ? await readBody(request) : {};
  const [status, value] = await act(session, `${request.method} ${request.url}`, body);
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
});

const server = createServer((request, response) => {
  if (request.url === '/health') response.end();
  else listener(request, response);
});

listen(port => server.listen(port, '127.0.0.1'));
