/** Server with the whole session in a cookie that @hapi/iron seals, as iron-session keeps it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { defaults, seal, unseal } from '@hapi/iron';
import { type Cart, listen, putInto, readBody, waitFor } from './cart.js';

const password = 'a'.repeat(32);

interface Sealed {
  readonly user?: string;
  readonly cart?: Cart;
}

async function open({ headers }: IncomingMessage): Promise<Sealed> {
  const sealed = /(?:^|; )iron=([^;]+)/.exec(headers.cookie ?? '')?.[1];
  return sealed === undefined ? {} : Object(await unseal(sealed, password, defaults).catch(() => ({})));
}

async function save(response: ServerResponse, session: Sealed): Promise<void> {
  response.setHeader('set-cookie', `iron=${await seal(session, password, defaults)}; Path=/; HttpOnly; SameSite=Lax`);
}

async function act(request: IncomingMessage, response: ServerResponse, session: Sealed): Promise<object> {
  if (request.url === '/login') await save(response, { user: 'anna', cart: {} });
  if (request.url === '/logout') response.setHeader('set-cookie', 'iron=; Max-Age=0; Path=/');
  if (request.url !== '/cart') return {};
  if (session.user === undefined) {
    response.statusCode = 401;
    return {};
  }
  if (request.method === 'GET') return { cart: session.cart };
  const { sku = '', waitMs } = await readBody(request);
  await waitFor(waitMs);
  const cart = putInto(session.cart ?? {}, sku);
  await save(response, { ...session, cart });
  response.statusCode = 201;
  return { cart };
}

const server = createServer(async (request, response) => {
  const body = await act(request, response, await open(request));
  response.end(JSON.stringify(body));
});

listen(port => server.listen(port, '127.0.0.1'));
