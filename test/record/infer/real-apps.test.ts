import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { expectFit, expectJourney, inferWith, recordPasses, typed, type Visit } from './drive.js';
import type { RecordingBrowser } from './recording-browser.js';

const root = path.resolve(import.meta.dirname, '../../../..');

interface RunningApp {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Starts a real app of the repository. */
async function startApp(file: string): Promise<RunningApp> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-infer-'));
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), SESSIONS: folder, CARTS: folder };
  const app = spawn(process.execPath, [path.join(root, file)], { env, stdio: 'ignore' });
  const ended = once(app, 'exit');
  const origin = `http://127.0.0.1:${port}`;
  const stop = async () => {
    app.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const isReady = () =>
    fetch(`${origin}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  if (await waitUntil(isReady, 10_000)) return { origin, stop };
  await stop();
  throw new Error(`${file} did not listen`);
}

const graphql = (query: string, variables?: object) => ({
  json: { query, ...(variables === undefined ? {} : { variables }) },
});

interface RealApp {
  readonly file: string;
  readonly visit: Visit;
  readonly look: (browser: RecordingBrowser) => Promise<unknown>;
  readonly users?: readonly [string, string];
  readonly items?: readonly [string, string];
  readonly steps: readonly string[];
}

const apps: Readonly<Record<string, RealApp>> = {
  'an app that checks the Origin and the types, and names a cart in a header only': {
    file: 'dist/test/record/apps/strict.js',
    async visit(browser, user, title) {
      const headers = { host: new URL(browser.origin).host, origin: browser.origin };
      await browser.call('GET', '/api/me');
      await browser.call('POST', '/api/login', { json: { user, password: 'secret' }, headers });
      await browser.call('POST', '/api/carts', { headers });
      const cart = browser.exchanges.at(-1)?.responseHeaders.find(([name]) => name === 'location')?.[1] ?? '';
      const { id: owner } = await browser.call('GET', '/api/me');
      await browser.call('GET', cart);
      await browser.call('POST', `${cart}/lines`, { json: { title, quantity: 1, gift: false, owner }, headers });
      await browser.call('GET', cart);
      await browser.call('POST', '/api/logout', { headers });
    },
    look: browser => browser.call('GET', '/api/carts/0'),
    steps: ['login', 'add', 'read', 'whoami', 'logout'],
  },
  'the Express example': {
    file: 'examples/express/server.js',
    async visit(browser, user, sku) {
      await browser.visit('/cart');
      await browser.submit('/login', { user, password: 'secret' });
      await browser.submit('/cart', { sku });
      await browser.visit('/cart');
      await browser.submit('/cart/remove', {});
      await browser.submit('/logout', {});
    },
    look: browser => browser.visit('/cart'),
    steps: ['login', 'add', 'read', 'remove', 'logout'],
  },
  'items with special characters in the Express example': {
    file: 'examples/express/server.js',
    items: [`tea & "honey" <1/2=50%>`, `fish 'n' chips + peas`],
    async visit(browser, user, sku) {
      await browser.visit('/login');
      await browser.submit('/login', { user, password: 'secret' });
      await browser.submit('/cart', { sku });
      await browser.submit('/logout', {});
    },
    look: browser => browser.visit('/cart'),
    steps: ['login', 'add', 'read', 'logout'],
  },
  'the Fastify example': {
    file: 'examples/fastify/server.js',
    async visit(browser, user, sku) {
      await browser.call('GET', '/cart');
      await browser.call('POST', '/login', { json: { user, password: 'secret' } });
      await browser.call('POST', '/cart', { json: { sku } });
      await browser.call('GET', '/cart');
      await browser.call('POST', '/logout');
    },
    look: browser => browser.call('GET', '/cart'),
    steps: ['login', 'add', 'read', 'logout'],
  },
  'an app with bearer tokens and items in paths': {
    file: 'dist/test/own-apps/bearer.js',
    async visit(browser, user, item) {
      const { access_token: token } = await browser.call('POST', '/api/login', { json: { user, password: 'secret' } });
      const headers = { authorization: `Bearer ${token}` };
      await browser.call('GET', '/api/cart', { headers });
      await browser.call('PUT', `/api/cart/${item}`, { headers });
      await browser.call('GET', '/api/cart', { headers });
      await browser.call('DELETE', `/api/cart/${item}`, { headers });
      await browser.call('GET', '/api/cart', { headers });
      await browser.call('POST', '/api/logout', { headers });
    },
    look: browser => browser.call('GET', '/api/cart'),
    steps: ['login', 'add', 'read', 'remove', 'logout'],
  },
  'an app with GraphQL': {
    file: 'dist/test/own-apps/graphql.js',
    async visit(browser, user, sku) {
      const ask = (query: string, variables?: object) => browser.call('POST', '/graphql', graphql(query, variables));
      await ask('mutation { login { user } }', { user, password: 'secret' });
      await ask('{cart{user items{sku}}}');
      await ask('mutation { addItem { sku } }', { sku });
      await ask('{cart{user items{sku}}}');
      await ask('mutation {logout}');
    },
    look: browser => browser.call('POST', '/graphql', graphql('{cart{user items{sku}}}')),
    steps: ['login', 'add', 'read', 'logout'],
  },
  'an app whose pages answer 200 to everyone': {
    file: 'dist/test/own-apps/pages.js',
    users: ['shopper1@example.com', 'shopper2@example.com'],
    async visit(browser, user, sku) {
      await browser.visit('/login');
      await browser.call('POST', '/login', { form: { user, password: 'secret' } });
      await browser.visit('/cart');
      await browser.call('POST', '/cart', { form: { sku } });
      await browser.visit('/cart');
      await browser.call('POST', '/cart/remove', { form: { sku } });
      await browser.visit('/cart');
      await browser.call('POST', '/logout', { form: {} });
    },
    look: browser => browser.visit('/cart'),
    steps: ['login', 'add', 'read', 'remove', 'logout'],
  },
};

describe('inferJourney with real apps', () => {
  const running = new Map<string, RunningApp>();

  before(async () => {
    const files = [...new Set(Object.values(apps).map(({ file }) => file))];
    await Promise.all(files.map(async file => running.set(file, await startApp(file))));
  });

  after(() => Promise.all([...running.values()].map(app => app.stop())));

  for (const [title, { file, visit, look, steps, users = typed.users, items = typed.items }] of Object.entries(apps)) {
    it(`fits ${title}`, async () => {
      const { origin = '' } = running.get(file) ?? {};
      const passes = await recordPasses(origin, visit, look, { users, items });
      const written = expectJourney(inferWith(passes));
      if (process.env.SHOW) console.log(JSON.stringify(written, undefined, 1));
      expect(await expectFit(origin, written, users[1])).to.include.members([...steps]);
    });
  }
});
