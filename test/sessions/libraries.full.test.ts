import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { killed } from './server-process.js';
import { until } from './until.js';
import { type RedisServer, startRedis, told } from './with-redis.js';

/**
 * What session libraries do where Holdfast promises something. The same questions are asked to a small server with each
 * of them (bench/sessions), and the answers are the cells of the table in docs/sessions.md.
 */
const libraries = {
  'Holdfast, `reference`': { program: 'holdfast', env: { HOLDFAST_MODE: 'redis' } },
  'Holdfast, `sealed`': { program: 'holdfast', env: { HOLDFAST_MODE: 'sealed' } },
  'express-session': { program: 'express', env: {} },
  '@fastify/session': { program: 'fastify', env: {} },
  'sealed cookie (@hapi/iron, as iron-session)': { program: 'iron', env: {} },
};

type Ask = (method: string, route: string, cookie: string, body?: object, timeoutMs?: number) => Promise<Reply>;

interface Reply {
  readonly status: number | 'no answer';
  readonly cart: Record<string, number>;
  readonly cookie: string;
}

const root = path.resolve(import.meta.dirname, '../../..');
const skus = ['tea', 'rope', 'lamp', 'salt'];
const hangMs = 1_500;

async function logIn(ask: Ask): Promise<string> {
  return (await ask('POST', '/login', '')).cookie;
}

/** Asks one question. Returns the text of the cell. */
const questions: Readonly<Record<string, (ask: Ask, redis: RedisServer) => Promise<string>>> = {
  'four tabs add at once': async ask => {
    const cookie = await logIn(ask);
    const added = await Promise.all(skus.map(sku => ask('POST', '/cart', cookie, { sku, waitMs: 50 })));
    const acknowledged = added.filter(({ status }) => status === 201).length;
    const { cart } = await ask('GET', '/cart', added.at(-1)?.cookie || cookie);
    return `keeps ${Object.keys(cart).length} of ${acknowledged}`;
  },
  'an add is under way at the logout': async ask => {
    const cookie = await logIn(ask);
    const adding = ask('POST', '/cart', cookie, { sku: 'tea', waitMs: 100 });
    await ask('POST', '/logout', cookie);
    const late = await adding;
    const after = await ask('GET', '/cart', late.cookie || cookie);
    return after.status === 401 ? 'logged out' : 'logged in again';
  },
  'a copied cookie after the logout': async ask => {
    const cookie = await logIn(ask);
    await ask('POST', '/logout', cookie);
    return (await ask('GET', '/cart', cookie)).status === 401 ? 'refused' : 'accepted';
  },
  'the store loses all': async (ask, redis) => {
    const cookie = await logIn(ask);
    await told(Number(new URL(redis.url).port), 'FLUSHALL');
    return (await ask('GET', '/cart', cookie)).status === 401 ? 'logged out' : 'still logged in';
  },
  'the store hangs': async (ask, redis) => {
    const cookie = await logIn(ask);
    redis.freeze();
    try {
      const { status } = await ask('GET', '/cart', cookie, undefined, hangMs);
      return status === 200 ? 'still logged in' : status === 503 ? '503 within a second' : 'no answer';
    } finally {
      redis.thaw();
    }
  },
};

async function isServing(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

describe('session libraries', () => {
  const page = readFileSync(path.join(root, 'docs/sessions.md'), 'utf8');
  const running: ChildProcess[] = [];
  const origins = new Map<string, string>();
  let redis: RedisServer;

  before(async function () {
    this.timeout(60_000);
    redis = await startRedis();
    await Promise.all(
      Object.entries(libraries).map(async ([name, { program, env }]) => {
        const port = await freePort();
        const file = path.join(root, `dist/bench/sessions/${program}.js`);
        const options = { env: { ...process.env, ...env, PORT: String(port), REDIS_URL: redis.url } };
        running.push(spawn(process.execPath, [file], { ...options, stdio: 'ignore' }));
        origins.set(name, `http://127.0.0.1:${port}`);
        await until(() => isServing(`http://127.0.0.1:${port}/health`));
      }),
    );
  });
  after(async () => {
    await Promise.all(running.map(killed));
    await redis.stop();
  });

  const askAt =
    (origin: string): Ask =>
    async (method, route, cookie, body, timeoutMs = 5_000) => {
      const headers = { cookie, ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) };
      const options = { method, headers, signal: AbortSignal.timeout(timeoutMs) };
      const sent = method === 'GET' ? options : { ...options, body: JSON.stringify(body ?? {}) };
      const response = await fetch(`${origin}${route}`, sent).catch(() => undefined);
      if (response === undefined) return { status: 'no answer', cart: {}, cookie: '' };
      const content = Object(await response.json().catch(() => ({})));
      const [line = ''] = response.headers.getSetCookie();
      return { status: response.status, cart: content.cart ?? {}, cookie: /^[^;=]+=[^;]+/.exec(line)?.[0] ?? '' };
    };

  for (const name of Object.keys(libraries)) {
    it(`${name} answers as its row in docs/sessions.md says`, async () => {
      const ask = askAt(origins.get(name) ?? '');
      const cells: string[] = [];
      for (const question of Object.values(questions)) cells.push(await question(ask, redis));
      const row = page.split('\n').find(line => line.startsWith(`| ${name} |`)) ?? '';
      expect(`| ${[name, ...cells].join(' | ')} |`).to.equal(row);
    });
  }
});
