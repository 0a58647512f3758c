import { expect } from 'chai';
import { inferJourney } from '#src/record/infer/infer-journey.js';
import { expectJourney, inferWith } from './drive.js';
import { exchange, type PassValues, passesOf, plain } from './exchanges.js';

const held = (it: PassValues, more = {}) => ({ cookie: `sid=${it.cookie}`, ...more });
const carryOf = (passes: Parameters<typeof inferWith>[0]) => {
  const { carry, add, login, read } = expectJourney(inferWith(passes));
  return { carry, add, login, read };
};

describe('inferJourney carries', () => {
  it('a token that a form of a page with several forms holds', () => {
    const form = (action: string, token: string) =>
      `<form action="${action}" method="post"><input type="hidden" name="authenticity_token" value="${token}"></form>`;
    const { carry, add } = carryOf(
      passesOf({
        add: it => [
          exchange(
            'GET /shop',
            { headers: held(it) },
            {
              text: `<h1>${it.user}</h1>${form('/search', `other-t0ken-of-${it.n}`)}${form('/cart', `this-t0ken-of-${it.n}`)}`,
            },
          ),
          exchange(
            'POST /cart',
            { form: { sku: it.item, authenticity_token: `this-t0ken-of-${it.n}` }, headers: held(it) },
            { status: 302, location: '/cart' },
          ),
        ],
      }),
    );
    expect(add.before).to.deep.equal({ GET: '/shop' });
    expect(add.request).to.deep.equal({
      POST: '/cart',
      form: { sku: '{token}', authenticity_token: '{authenticity-token}' },
    });
    expect(Object.keys(carry ?? {})).to.deep.equal(['authenticity-token']);
    expect(JSON.stringify(carry)).to.include('/cart');
  });

  it('a token of a form that rows of the cart will stand before', () => {
    const form = (action: string, token: string) =>
      `<form action="${action}" method="post"><input type="hidden" name="token" value="${token}"></form>`;
    const pageOf = (it: PassValues, rows: string) => ({
      text: `<h1>${it.user}</h1>${rows}${form('/cart', `t0ken-of-add-${it.n}`)}`,
    });
    const passes = passesOf({
      login: it => [...plain.login(it).slice(0, 1), exchange('GET /cart', { headers: held(it) }, pageOf(it, ''))],
      add: it => [
        exchange(
          'POST /cart',
          { form: { sku: it.item, token: `t0ken-of-add-${it.n}` }, headers: held(it) },
          { status: 302, location: '/cart' },
        ),
      ],
      read: it => [
        exchange(
          'GET /cart',
          { headers: held(it) },
          pageOf(it, `<li class="row">${it.item}${form('/cart/remove', `t0ken-of-row-${it.n}`)}</li>`),
        ),
      ],
    });
    const { carry } = carryOf(passes);
    expect(JSON.stringify(carry)).to.include('action=');
  });

  it('a cookie that changes with each answer and comes back as a header', () => {
    const set = (it: PassValues, i: number) => [`XSRF-TOKEN=${it.cookie}-${i}%3D; Path=/`];
    const send = (it: PassValues, i: number) => ({ cookie: `sid=${it.cookie}; XSRF-TOKEN=${it.cookie}-${i}%3D` });
    const { carry, add } = carryOf(
      passesOf({
        start: it => [exchange('GET /', {}, { text: 'Shop', cookies: set(it, 1) })],
        login: it => [
          exchange(
            'POST /login',
            {
              json: { user: it.user, password: 'secret' },
              headers: { cookie: `XSRF-TOKEN=${it.cookie}-1%3D`, 'x-xsrf-token': `${it.cookie}-1=` },
            },
            { json: { ok: true }, cookies: [`sid=${it.cookie}`, ...set(it, 2)] },
          ),
        ],
        add: it => [
          exchange(
            'POST /cart',
            { json: { sku: it.item }, headers: { ...send(it, 2), 'x-xsrf-token': `${it.cookie}-2=` } },
            { json: {}, cookies: set(it, 3) },
          ),
        ],
        read: it => [exchange('GET /cart', { headers: send(it, 3) }, { json: { user: it.user, items: [it.item] } })],
      }),
    );
    expect(carry).to.deep.equal({ 'x-xsrf-token': { cookie: 'XSRF-TOKEN' } });
    expect(add.request).to.deep.equal({
      POST: '/cart',
      json: { sku: '{token}' },
      headers: { 'x-xsrf-token': '{x-xsrf-token}' },
    });
  });

  it('the id of a cart from the login, in a path and as a number', () => {
    const id = (it: PassValues) => 6120 + it.n;
    const passes = passesOf(
      {
        login: it => [
          exchange(
            'POST /login',
            { json: { user: it.user, password: 'secret' } },
            { json: { user: { id: 16 + it.n, cart: { id: id(it) } } }, cookies: [`sid=${it.cookie}`] },
          ),
        ],
        add: it => [
          exchange(
            `POST /carts/${id(it)}/items`,
            { json: { sku: it.item, owner: 16 + it.n }, headers: held(it) },
            { status: 201, json: {} },
          ),
        ],
        read: it => [
          exchange(
            `GET /carts/${id(it)}`,
            { headers: held(it) },
            { json: { lines: [{ product: { sku: it.item }, quantity: 1 }] } },
          ),
        ],
      },
      [exchange('GET /carts/6120', {}, { status: 403, json: {} })],
    );
    const { carry, add, read } = carryOf(passes);
    expect(add.request).to.deep.equal({
      POST: '/carts/{carts-id}/items',
      json: { sku: '{token}', owner: '{owner:number}' },
    });
    expect(read.request).to.deep.equal({ GET: '/carts/{carts-id}' });
    expect(read.items).to.deep.equal({ path: '$.lines[*].product.sku', quantity: '$.lines[*].quantity' });
    expect(carry).to.deep.equal({
      'carts-id': { path: '$.user.cart.id', from: 'login' },
      owner: { path: '$.user.id', from: 'login' },
    });
    const inferred = inferWith(passes);
    expect(inferred.kind === 'journey' && inferred.notes.join()).to.not.include('was a number');
  });

  it('no moment and no id of a trace: it says so', () => {
    const passes = passesOf({
      add: it => [
        exchange(
          'POST /cart',
          {
            json: { sku: it.item, at: 1_764_600_000_000 + it.n },
            headers: held(it, { 'x-request-id': `a7-${it.n}`, 'x-app': 'shop', accept: 'application/json' }),
          },
          { json: {} },
        ),
      ],
    });
    const inferred = inferWith(passes);
    if (inferred.kind !== 'journey') throw new Error(JSON.stringify(inferred));
    expect(inferred.journey.add.request).to.deep.equal({
      POST: '/cart',
      json: { sku: '{token}', at: 1_764_600_000_001 },
      headers: { 'x-app': 'shop', accept: 'application/json' },
    });
    expect(inferred.notes.join()).to.include('at of POST /cart is a moment');
  });

  it('a key of the add that must differ each time, after a question', () => {
    const passes = passesOf({
      add: it => [
        exchange(
          'POST /cart',
          { json: { sku: it.item }, headers: held(it, { 'idempotency-key': `9f${it.n}c` }) },
          { json: {} },
        ),
      ],
    });
    const inferred = inferJourney(passes, new Map([['add header.idempotency-key', 'unique']]));
    expect(expectJourney(inferred).add.request).to.deep.equal({
      POST: '/cart',
      json: { sku: '{token}' },
      headers: { 'idempotency-key': '{token}' },
    });
  });

  it('no cookie that a script sets from a token: it says that no journey can', () => {
    const passes = passesOf({
      login: it => [
        exchange('POST /login', { json: { user: it.user, password: 'secret' } }, { json: { jwt: `ey.${it.cookie}` } }),
      ],
      add: it => [
        exchange('POST /cart', { json: { sku: it.item }, headers: { cookie: `jwt=ey.${it.cookie}` } }, { json: {} }),
      ],
      read: it => [
        exchange(
          'GET /cart',
          { headers: { cookie: `jwt=ey.${it.cookie}` } },
          { json: { user: it.user, items: [it.item] } },
        ),
      ],
      logout: () => [],
    });
    const inferred = inferJourney(passes, new Map());
    expect(inferred.kind === 'problem' && inferred.problem).to.include('the cookie jwt');
  });

  it('what the third pass was refused elsewhere, when it never asked for the cart', () => {
    const me = (it: PassValues) => exchange('GET /api/me', { headers: held(it) }, { json: { name: it.user } });
    const passes = passesOf({ read: it => [me(it), ...plain.read(it)] }, [
      exchange('GET /', {}, { text: '<h1>Shop</h1>' }),
      exchange('GET /api/me', {}, { status: 401, json: { error: 'log in' } }),
    ]);
    const inferred = inferWith(passes);
    if (inferred.kind !== 'journey') throw new Error(JSON.stringify(inferred));
    expect(inferred.journey.anonymous).to.deep.equal({ status: 401 });
    expect(inferred.notes.join()).to.include('never asked for GET /cart');
    expect(inferred.journey.whoami).to.deep.include({ request: { GET: '/api/me' }, who: { path: '$.name' } });
  });
});
