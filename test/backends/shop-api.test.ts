import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { sessionsOpened, until, Visitor } from './visitor.js';
import { type ShopProcess, startShop } from './with-shop.js';

describe('shop: JSON API', () => {
  let shop: ShopProcess;
  const visitor = () => new Visitor(shop.url);
  const anna = () => visitor().logIn('anna');

  before(async () => {
    shop = await startShop({ BACKEND_ID: 'backend-7' });
  });

  after(async () => {
    shop.signal('SIGKILL');
    await shop.ended;
  });

  it('logs in, fills and empties a cart, logs out', async () => {
    const client = visitor();
    expect((await client.post('/login', { user: 'anna', password: 'secret' })).json).to.deep.equal({ user: 'anna' });
    expect((await client.get('/me')).json).to.include({ user: 'anna', why: null, mode: 'sticky', affinity: null });
    expect((await client.get('/cart')).json).to.deep.equal({ user: 'anna', items: [] });
    const added = await client.post('/cart', { sku: 'tea' });
    expect(added.status).to.equal(201);
    expect(added.json).to.deep.equal({ user: 'anna', sku: 'tea', quantity: 1 });
    expect((await client.post('/cart', { sku: 'tea' })).json).to.include({ quantity: 2 });
    await client.add('rope');
    expect((await client.get('/cart')).json).to.deep.equal({
      user: 'anna',
      items: [
        { sku: 'tea', quantity: 2 },
        { sku: 'rope', quantity: 1 },
      ],
    });
    expect((await client.delete('/cart/tea')).json).to.deep.equal({ user: 'anna', sku: 'tea', quantity: 0 });
    expect(await client.skus()).to.deep.equal(['rope']);
    expect((await client.post('/logout', {})).json).to.deep.equal({ user: null });
    expect(client.cookie).to.equal(undefined);
    expect((await client.get('/me')).json).to.include({ user: null, why: 'absent' });
  });

  it('returns 200 for the removal of a missing item', async () => {
    const { status, json } = await (await anna()).delete('/cart/never');
    expect(status).to.equal(200);
    expect(json).to.deep.equal({ user: 'anna', sku: 'never', quantity: 0 });
  });

  it('returns 200 for a logout without a session', async () => {
    const { status, json } = await visitor().send('POST', '/logout', {
      headers: { 'content-type': 'application/json' },
    });
    expect(status).to.equal(200);
    expect(json).to.deep.equal({ user: null });
  });

  it('starts a session with an empty cart at each login, and invalidates the old token', async () => {
    const client = await anna();
    await client.add('tea');
    const former = new Visitor(shop.url, client.cookie);
    await client.logIn('anna');
    expect(await client.skus()).to.deep.equal([]);
    expect((await former.get('/me')).json).to.include({ user: null, why: 'unknown' });
  });

  it('keeps skus such as __proto__', async () => {
    const client = await anna();
    const skus = ['__proto__', 'constructor', 'toString', '..', '-', 'a:b.c_d'];
    for (const sku of skus) await client.add(sku);
    expect(await client.skus()).to.deep.equal(skus);
    await client.delete('/cart/__proto__');
    await client.delete('/cart/constructor');
    expect(await client.skus()).to.deep.equal(['toString', '..', '-', 'a:b.c_d']);
  });

  it('keeps all concurrent adds of one session', async () => {
    const client = await anna();
    await Promise.all([1, 2, 3, 4].map(number => client.add(`tea-${number}`)));
    expect([...(await client.skus())].sort()).to.deep.equal(['tea-1', 'tea-2', 'tea-3', 'tea-4']);
  });

  it('names backend and incarnation in every answer', async () => {
    const { headers } = await visitor().get('/health');
    const incarnation = headers.get('holdfast-incarnation');
    expect(incarnation).to.match(/^[0-9a-f]{16}$/);
    const answers = [
      await visitor().get('/'),
      await visitor().get('/cart'),
      await visitor().get('/nowhere'),
      await visitor().send('PUT', '/cart', {}),
      await visitor().post('/login', 7),
    ];
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 401, 404, 405, 400]);
    for (const answer of answers) {
      expect(answer.headers.get('holdfast-backend')).to.equal('backend-7');
      expect(answer.headers.get('holdfast-incarnation')).to.equal(incarnation);
    }
  });

  it('names both even when Node.js answers by itself', async () => {
    const bad = ['NONSENSE\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: gold\r\n\r\n'];
    const big = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
    const answers = await Promise.all([...bad, big].map(text => rawAnswer(shop.port, text)));
    expect(answers.map(text => text.split(' ')[1])).to.deep.equal(['400', '400', '417', '431']);
    for (const text of answers) expect(text).to.match(/holdfast-backend: backend-7\r\nholdfast-incarnation: [0-9a-f]+/);
  });

  it('reports its readiness, and the affinity header of the proxy', async () => {
    const { json } = await visitor().get('/health');
    expect(json).to.include({ status: 'ready', backend: 'backend-7' }).and.not.to.have.property('store');
    const broken = { 'holdfast-affinity': 'broken; reason=down', 'x-forwarded-for': '10.0.0.1' };
    const me = await visitor().get('/me', broken);
    expect(me.json).to.deep.include({ affinity: { state: 'broken', reason: 'down' }, proxied: true });
    expect((await visitor().get('/cart', broken)).json).to.deep.include({
      affinity: { state: 'broken', reason: 'down' },
    });
    expect((await visitor().get('/me', { 'holdfast-affinity': 'nonsense' })).json).to.include({ affinity: null });
  });

  it('answers HEAD like GET without a body, and accepts the absolute form of a target', async () => {
    const head = await visitor().send('HEAD', '/health', {});
    expect(head.status).to.equal(200);
    expect(await rawAnswer(shop.port, 'GET http://shop/health HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n'))
      .to.match(/^HTTP\/1.1 200 /)
      .and.to.contain('"ready"');
  });

  it('counts its writes, and duplicate writes', async () => {
    const client = await anna();
    await client.add('once-only');
    await client.add('twice');
    const { json: before } = await client.get('/stats');
    await client.add('twice');
    const { json: after } = await client.get('/stats');
    expect(Number(after.writes) - Number(before.writes)).to.equal(1);
    expect(after.uniqueTokens).to.equal(before.uniqueTokens);
    expect(after.duplicateTokens).to.include('twice').and.not.to.include('once-only');
    expect(after).to.deep.include({ complete: true });
  });

  it('delays its answer on request', async () => {
    const begunMs = performance.now();
    expect((await visitor().get('/slow?ms=60')).json).to.deep.equal({ ms: 60 });
    expect(performance.now() - begunMs).to.be.at.least(55);
  });

  it('does not revive a session after a logout during a slow write', async () => {
    const client = await anna();
    const sameTab = new Visitor(shop.url, client.cookie);
    const otherTab = new Visitor(shop.url, client.cookie);
    const opened = await sessionsOpened(shop.url);
    const write = sameTab.post('/cart?delayMs=150', { sku: 'late' });
    await until(async () => (await sessionsOpened(shop.url)) > opened);
    expect((await otherTab.post('/logout', {})).status).to.equal(200);
    expect((await write).status).to.equal(401);
    expect((await client.get('/me')).json).to.include({ user: null });
  });

  describe('refuses', () => {
    const type = { 'content-type': 'application/json' };
    const wrong = { error: 'wrong name or password', why: 'wrong-login' };
    const refusals: readonly [string, () => Promise<{ status: number; json: object }>, number, object | RegExp][] = [
      ['a wrong password', () => visitor().post('/login', { user: 'anna', password: 'Secret' }), 401, wrong],
      ['an invalid name', () => visitor().post('/login', { user: 'Anna!', password: 'secret' }), 400, /1 to 64/],
      [
        'a name of control characters',
        () => visitor().post('/login', { user: 'a\0\r\n', password: '' }),
        400,
        /1 to 64/,
      ],
      ['a name of 65', () => visitor().post('/login', { user: 'x'.repeat(65), password: 'secret' }), 400, /1 to 64/],
      ['an empty name', () => visitor().post('/login', { user: '', password: 'secret' }), 400, /1 to 64/],
      ['a login without a name', () => visitor().post('/login', { password: 'secret' }), 400, /"user": "\.\.\."/],
      ['a login with a number', () => visitor().post('/login', { user: 1, password: 'secret' }), 400, /expected/],
      [
        'more fields than expected',
        async () => (await anna()).post('/cart', { sku: 'a', n: 'b' }),
        400,
        /nothing else/,
      ],
      ['a list', async () => (await anna()).post('/cart', ['sku']), 400, /"sku": "\.\.\."/],
      ['no body', async () => (await anna()).send('POST', '/cart', { headers: type }), 400, /"sku"/],
      ['half a JSON', async () => (await anna()).send('POST', '/cart', { headers: type, body: '{' }), 400, /not JSON/],
      ['an empty sku', async () => (await anna()).post('/cart', { sku: '' }), 400, /1 to 80/],
      ['a sku with a blank', async () => (await anna()).post('/cart', { sku: 'a b' }), 400, /1 to 80/],
      ['a sku of 81 letters', async () => (await anna()).post('/cart', { sku: 'x'.repeat(81) }), 400, /1 to 80/],
      ['a path with bad percent-encoding', async () => (await anna()).delete('/cart/%ff'), 400, /percent-encoded/],
      ['an add without a login', () => visitor().post('/cart', { sku: 'a' }), 401, /please log in/],
      ['a removal without a login', () => visitor().delete('/cart/a'), 401, /please log in/],
      ['an invented cookie', () => new Visitor(shop.url, 'session=abc').get('/cart'), 401, /please log in/],
      ['a form', () => visitor().send('POST', '/login', { body: 'user=anna' }), 415, /application\/json/],
      ['a name of 1 MB', () => visitor().post('/login', { user: 'x'.repeat(1e6), password: '' }), 413, /16384 bytes/],
      ['17 KiB', () => visitor().post('/login', { user: 'x'.repeat(17 * 1024), password: '' }), 413, /16384 bytes/],
      ['a delay past the limit', () => visitor().get('/slow?ms=10001'), 400, /from 0 to 10000/],
      ['a negative delay', () => visitor().get('/slow?ms=-1'), 400, /from 0 to 10000/],
      ['no path', () => visitor().get('/cart/a/b'), 404, /Known: .*\/cart\/:sku/],
    ];
    for (const [name, attempt, status, said] of refusals) {
      it(`${name}: ${status}`, async () => {
        const answer = await attempt();
        expect(answer.status).to.equal(status);
        if (said instanceof RegExp) expect(JSON.stringify(answer.json).replaceAll('\\"', '"')).to.match(said);
        else expect(answer.json).to.deep.equal(said);
      });
    }

    it('a wrong method, and names the allowed ones', async () => {
      const onCart = await visitor().send('PATCH', '/cart', {});
      expect(onCart.status).to.equal(405);
      expect(onCart.headers.get('allow')).to.equal('GET, HEAD, POST');
      expect((await visitor().get('/cart/tea')).headers.get('allow')).to.equal('DELETE');
      expect((await visitor().get('/logout')).status).to.equal(405);
    });

    it('a change from another site, but not from its own page', async () => {
      const client = await anna();
      const from = (site: string) => {
        const headers = { ...type, 'sec-fetch-site': site };
        return client.send('POST', '/cart', { headers, body: '{"sku":"bait"}' });
      };
      expect((await from('cross-site')).status).to.equal(403);
      expect((await from('same-site')).status).to.equal(403);
      expect(await client.skus()).to.deep.equal([]);
      expect((await from('same-origin')).status).to.equal(201);
      const deletion = await client.send('DELETE', '/cart/bait', { headers: { 'sec-fetch-site': 'cross-site' } });
      expect(deletion.status).to.equal(403);
      expect((await client.get('/cart', { 'sec-fetch-site': 'cross-site' })).status).to.equal(200);
    });

    it('the same from a browser that sends only Origin, as over plain HTTP', async () => {
      const client = await anna();
      const from = (origin: string) => {
        const headers = { ...type, origin };
        return client.send('POST', '/cart', { headers, body: '{"sku":"bait"}' });
      };
      for (const origin of [
        'https://evil.example',
        `http://evil.localhost:${shop.port}`,
        'http://127.0.0.1',
        'null',
        '',
      ]) {
        const { status, json } = await from(origin);
        expect([status, json.why], origin).to.deep.equal([403, 'cross-site']);
      }
      expect(await client.skus()).to.deep.equal([]);
      expect((await from(shop.url)).status).to.equal(201);
      expect((await from(shop.url.replace('http:', 'https:'))).status).to.equal(201);
      expect((await client.get('/cart', { origin: 'https://evil.example' })).status).to.equal(200);
    });

    it('a truncated body, without reporting a failure of the shop', async () => {
      const said = shop.output();
      const head = 'POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
      const socket = connect(shop.port, '127.0.0.1').resume();
      await once(socket, 'connect');
      const { json: before } = await visitor().get('/stats');
      socket.end(`${head}Content-Length: 100\r\n\r\n{"user"`);
      await once(socket, 'close');
      expect(await rawAnswer(shop.port, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`)).to.match(/^HTTP\/1.1 400 /);
      const { json: after } = await visitor().get('/stats');
      expect(Number(after.requests) - Number(before.requests)).to.equal(3);
      expect(shop.output()).to.equal(said);
    });

    it('a body without a declared length as soon as it is too large', async () => {
      const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`;
      const head = 'POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
      const answer = await rawAnswer(shop.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}`);
      expect(answer).to.match(/^HTTP\/1.1 413 /);
    });

    it('the 501st different item, but not more of an existing one', async () => {
      const client = await anna();
      for (let number = 1; number <= 500; number++) await client.add(`item-${number}`);
      const { status, json } = await client.post('/cart', { sku: 'item-501' });
      expect(status).to.equal(413);
      expect(json.error).to.match(/500 different items/);
      expect((await client.post('/cart', { sku: 'item-500' })).json).to.include({ quantity: 2 });
      expect(await client.skus()).to.have.length(500);
    });
  });
});

async function rawAnswer(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', chunk => {
    answer += String(chunk);
    socket.end();
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
