import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { expect } from 'chai';
import { withDirectory } from './accounts/with-directory.js';
import { sessionsOpened, until, Visitor } from './visitor.js';
import { runShop, withShop } from './with-shop.js';

describe('shop: the process', () => {
  it('listens on a free port and prints its address in one line', () =>
    withShop({ PORT: '0', BACKEND_ID: 'backend-3' }, async shop => {
      expect(shop.output()).to.match(/^backend-3 listening on http:\/\/127\.0\.0\.1:\d+\n$/);
      expect((await new Visitor(shop.url).get('/health')).status).to.equal(200);
    }));

  it('has a new incarnation after each boot', async () => {
    const incarnation = () =>
      withShop({}, async ({ url }) => (await new Visitor(url).get('/health')).headers.get('holdfast-incarnation'));
    expect(await incarnation()).not.to.equal(await incarnation());
  });

  it('reads the password from the environment', () =>
    withShop({ SHOP_PASSWORD: 'other' }, async ({ url }) => {
      const login = (password: string) => new Visitor(url).post('/login', { user: 'anna', password });
      expect((await login('secret')).status).to.equal(401);
      expect((await login('other')).status).to.equal(200);
    }));

  it('adds the configured padding to every session, even if it is too large', () =>
    withShop({ SHOP_BALLAST_BYTES: '600000' }, async ({ url }) => {
      const answer = await new Visitor(url).post('/login', { user: 'anna', password: 'secret' });
      expect(answer.status).to.equal(413);
    }));

  it('has lab switches only with SHOP_LAB, and only on loopback', async () => {
    await withShop({}, async ({ url }) => expect((await new Visitor(url).get('/lab')).status).to.equal(404));
    await withShop({ SHOP_LAB: '1' }, async ({ url }) => {
      const visitor = new Visitor(url);
      for (const body of [{ errorPercent: 101 }, { clockMs: 0.5 }, { other: 1 }, []])
        expect((await visitor.post('/lab', body)).status, JSON.stringify(body)).to.equal(400);
      expect((await visitor.get('/me')).status).to.equal(200);
    });
    const { code, output } = await runShop({ SHOP_LAB: '1', HOST: '0.0.0.0' });
    expect([code, output]).to.deep.equal([
      3,
      'SHOP_LAB is set, and HOST is "0.0.0.0": expected 127.0.0.1, because any client that reaches it can break it.\n',
    ]);
  });

  it('links to the live lab only with SHOP_LIVE_LAB, and never with more than its origin', async () => {
    const pageOf = async (url: string) => (await fetch(url)).text();
    await withShop({}, async ({ url }) => expect(await pageOf(url)).not.to.include('<a id="live-lab"'));
    await withShop({ SHOP_LIVE_LAB: 'http://127.0.0.1:8090/#the-token' }, async ({ url }) => {
      const page = await pageOf(url);
      expect(page).to.include('<a id="live-lab" href="http://127.0.0.1:8090/">');
      expect(page).not.to.include('the-token');
    });
    const { code, output } = await runShop({ SHOP_LIVE_LAB: 'javascript:alert(1)' });
    expect([code, output]).to.deep.equal([
      3,
      'SHOP_LIVE_LAB is no address: expected one such as http://127.0.0.1:8090, or leave it unset.\n',
    ]);
  });

  it('reads the limits of a session from the environment', () =>
    withShop({ SHOP_IDLE: '1h', SHOP_ABSOLUTE: '300ms' }, async ({ url }) => {
      const anna = await new Visitor(url).logIn('anna');
      await until(async () => (await anna.get('/cart')).status === 401);
    }));

  it('reports that its port is in use, and exits with 4', () =>
    withShop({}, async shop => {
      const { code, output } = await runShop({ PORT: String(shop.port) });
      expect(code).to.equal(4);
      expect(output).to.match(new RegExp(`^Port ${shop.port} on 127.0.0.1 is in use: .*set PORT.*\\n$`));
    }));

  it('names an address on which it cannot listen, and exits with 4', async () => {
    const { code, output } = await runShop({ HOST: '192.0.2.1' });
    expect(code).to.equal(4);
    expect(output).to.match(/^Cannot listen on 192\.0\.2\.1 port 0: .*EADDRNOTAVAIL/);
  });

  const bad: readonly [string, Record<string, string>, RegExp][] = [
    ['a port that is no number', { PORT: 'http' }, /^PORT is "http": expected a number from 0/],
    ['a port out of range', { PORT: '65536' }, /^PORT is "65536"/],
    ['an empty port', { PORT: '' }, /^PORT is ""/],
    [
      'an unknown mode',
      { HOLDFAST_MODE: 'rediss' },
      /unknown mode "rediss"\. Did you mean "redis"\? Known: sticky, redis/,
    ],
    ['redis without an address', { HOLDFAST_MODE: 'redis' }, /^REDIS_URL is missing, and mode redis needs it/],
    [
      'an address that is none',
      { HOLDFAST_MODE: 'redis', REDIS_URL: 'localhost:6379' },
      /^REDIS_URL is "localhost:6379"/,
    ],
    ['an address without a host', { HOLDFAST_MODE: 'redis', REDIS_URL: 'redis://' }, /^REDIS_URL is "redis:\/\/"/],
    [
      'a Cluster with a database',
      { HOLDFAST_MODE: 'redis', REDIS_URL: 'redis+cluster://h:1/0' },
      /^REDIS_URL is "redis\+cluster:\/\/h:1\/0": expected an address of Redis .*; "\/0": a cluster has no databases/,
    ],
    ['a version with a line break', { BACKEND_VERSION: 'a\nb' }, /^BACKEND_VERSION/],
    ['an empty schema', { SHOP_SESSION_SCHEMA: '' }, /^SHOP_SESSION_SCHEMA is empty: expected the name of a schema/],
    ['an empty host', { HOST: '' }, /^HOST is empty/],
    ['a backend name with a line break', { BACKEND_ID: 'a\nb' }, /^BACKEND_ID/],
    ['an empty name of the accounts', { SHOP_ACCOUNTS: '' }, /^SHOP_ACCOUNTS is empty: expected a directory/],
    ['an administrator without a password', { SHOP_ADMIN_PASSWORD: '' }, /^SHOP_ADMIN_PASSWORD is empty/],
    ['a key ring that is none', { SHOP_SECRETS: 'k1:abcd' }, /^SHOP_SECRETS: the key ring cannot be used: .*2 bytes/],
    ['a key ring that is not there', { SHOP_SECRETS_FILE: '/nowhere/keys' }, /^SHOP_SECRETS_FILE: .*ENOENT/],
    ['two key rings', { SHOP_SECRETS: `a:${'0f'.repeat(32)}`, SHOP_SECRETS_FILE: '/dev/null' }, /are both set/],
    ['an empty password', { SHOP_PASSWORD: '' }, /^SHOP_PASSWORD is empty/],
    [
      'an unknown defect',
      { SHOP_DEFECT: 'drop-writes,drop-write' },
      /unknown defect "drop-write"\. Did you mean "drop-writes"\?/,
    ],
    ['a weight that is no number', { SHOP_BALLAST_BYTES: '16KB' }, /^SHOP_BALLAST_BYTES is "16KB": expected a whole/],
    [
      'a work that is no duration',
      { SHOP_WORK: '200' },
      /^SHOP_WORK is "200": expected a duration such as 200ms, at most 30s\./,
    ],
    [
      'a maximum age below a second',
      { SHOP_REVOCATIONS_AGE_MAX: '500ms' },
      /^SHOP_REVOCATIONS_AGE_MAX is "500ms": expected a duration of at least 1s, or leave it unset\./,
    ],
    ['a limit without a unit', { SHOP_IDLE: '30' }, /^SHOP_IDLE is "30": expected a duration such as 30min or 12h\./],
    ['a limit of nothing', { SHOP_ABSOLUTE: '0s' }, /^SHOP_ABSOLUTE is "0s"/],
    [
      'several at once',
      { PORT: 'x', HOLDFAST_MODE: 'y' },
      /PORT is "x"[\s\S]*unknown mode "y"|unknown mode "y"[\s\S]*PORT is "x"/,
    ],
  ];
  for (const [name, settings, said] of bad) {
    it(`refuses ${name} and exits with 3`, async () => {
      const { code, output } = await runShop(settings);
      expect(output).to.match(said).and.not.to.contain('    at ');
      expect(code).to.equal(3);
    });
  }

  it('SIGTERM: reports draining at /health, refuses new connections, finishes requests in flight, exits with 0', () =>
    withShop({}, async shop => {
      const anna = await new Visitor(shop.url).logIn('anna');
      const opened = await sessionsOpened(shop.url);
      const write = anna.post('/cart?delayMs=400', { sku: 'late' });
      await until(async () => (await sessionsOpened(shop.url)) > opened);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      expect(await health(shop.url, agent)).to.deep.equal({ status: 200, connection: 'keep-alive' });
      shop.signal('SIGTERM');
      await until(() => refused(shop.url));
      expect(await health(shop.url, agent)).to.deep.equal({ status: 503, connection: 'close' });
      expect((await write).status).to.equal(201);
      expect((await write).headers.get('connection')).to.equal('close');
      expect(await shop.ended).to.deep.equal({ code: 0, signal: null });
    }));

  it('SIGHUP: reads its key ring again, and keeps the present one if the new one is unusable', () =>
    withDirectory(async directory => {
      const file = path.join(directory, 'keys');
      const secret = () => randomBytes(32).toString('hex');
      const [old, young] = [`old:${secret()}`, `young:${secret()}`];
      await writeFile(file, `${old}\n`);
      await withShop({ SHOP_SECRETS_FILE: file }, async shop => {
        await writeFile(file, 'half:');
        shop.signal('SIGHUP');
        await until(async () => shop.output().includes('the key ring stays as it was'));
        await writeFile(file, `${young},${old}\n`);
        shop.signal('SIGHUP');
        await until(async () => shop.output().includes('the key ring was read again: young, old\n'));
        for (const key of [old, young]) expect(shop.output()).not.to.contain(key.split(':')[1]);
      });
    }));

  it('SIGINT: exits at once if no request is in flight', () =>
    withShop({}, async shop => {
      shop.signal('SIGINT');
      expect(await shop.ended).to.deep.equal({ code: 0, signal: null });
    }));

  it('exits at once on a second signal', () =>
    withShop({}, async shop => {
      const slow = new Visitor(shop.url).get('/slow?ms=9000').catch(() => 'broken off');
      await until(async () => Number((await new Visitor(shop.url).get('/stats')).json.requests) >= 2);
      shop.signal('SIGINT');
      await until(() => refused(shop.url));
      shop.signal('SIGINT');
      expect(await shop.ended).to.deep.equal({ code: null, signal: 'SIGINT' });
      expect(await slow).to.equal('broken off');
    }));
});

async function refused(url: string): Promise<boolean> {
  const error: unknown = await fetch(`${url}/health`).then(
    () => undefined,
    failure => failure.cause,
  );
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}

/** Sends a request over the one connection of the agent, which stays open between two calls. */
async function health(url: string, agent: Agent) {
  const sent = request(`${url}/health`, { agent }).end();
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode, connection: response.headers.connection };
}
