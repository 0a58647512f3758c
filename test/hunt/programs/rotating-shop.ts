/**
 * A shop with a planted defect. It keeps sessions in Redis, and gives a session another id at the first add that is
 * later than ROTATE_MS. It removes the old record at once, and writes the new one WRITE_MS later. If its process is
 * killed in between, the session is lost. A request for a record that is not there yet waits for it, so nothing else
 * shows the defect.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

const { PORT = '3000', REDIS_URL = '', ROTATE_MS = '1500', WRITE_MS = '50' } = process.env;

interface Kept {
  readonly user: string;
  readonly cart: readonly string[];
  readonly sinceMs: number;
}

const redis = new Redis(REDIS_URL);
const save = (id: string, kept: Kept) => redis.set(id, JSON.stringify(kept));

async function load(request: IncomingMessage): Promise<{ id: string; kept: Kept } | undefined> {
  const [, id] = /\bsid=([\w-]+)/.exec(request.headers.cookie ?? '') ?? [];
  if (id === undefined) return undefined;
  for (let triesLeft = 4; triesLeft > 0; triesLeft -= 1) {
    const found = await redis.get(id);
    if (found !== null) return { id, kept: JSON.parse(found) };
    await delay(Number(WRITE_MS));
  }
  return undefined;
}

async function add(id: string, { user, cart, sinceMs }: Kept, sku: string): Promise<string> {
  const kept = { user, cart: [...cart, sku], sinceMs };
  if (Date.now() - sinceMs < Number(ROTATE_MS)) {
    await save(id, kept);
    return id;
  }
  const fresh = randomUUID();
  await redis.del(id);
  setTimeout(() => save(fresh, { ...kept, sinceMs: Date.now() }), Number(WRITE_MS));
  return fresh;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, body: object, id?: string) => {
    if (id !== undefined) response.setHeader('set-cookie', `sid=${id}; Path=/`);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const sent = request.method === 'POST' ? Object(await json(request)) : {};
  if (request.url === '/login') {
    const id = randomUUID();
    await save(id, { user: sent.user, cart: [], sinceMs: Date.now() });
    return send(200, { user: sent.user }, id);
  }
  const session = await load(request);
  if (session === undefined) return send(401, {});
  if (request.method === 'GET') return send(200, { user: session.kept.user, items: session.kept.cart });
  send(201, {}, await add(session.id, session.kept, sent.sku));
}

createServer((request, response) => {
  if (request.url === '/health') response.end('ok');
  else void answer(request, response).catch(() => response.writeHead(500).end());
}).listen(Number(PORT), '127.0.0.1');
