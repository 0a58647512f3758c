import { expect } from 'chai';
import { inferJourney } from '#src/record/infer/infer-journey.js';
import type { Passes } from '#src/record/recording.js';
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

  it('the token of a login that stands only in a header, and the number of a user that is typed', () => {
    const users = (passes: Passes) => ({
      ...passes,
      first: { ...passes.first, user: '41' },
      second: { ...passes.second, user: '42' },
    });
    const bearer = (it: PassValues) => ({ authorization: `Bearer ${it.cookie}.x/y=` });
    const number = (it: PassValues) => 40 + it.n;
    const { carry, login, read } = carryOf(
      users(
        passesOf({
          login: it => [
            {
              ...exchange('POST /login', { json: { account: number(it), keep: true } }, { json: { ok: true } }),
              responseHeaders: [
                ['content-type', 'application/json'],
                ['authorization', `Bearer ${it.cookie}.x/y=`],
              ],
            },
          ],
          add: it => [exchange('POST /cart', { json: { sku: it.item }, headers: bearer(it) }, { json: {} })],
          read: it => [exchange('GET /cart', { headers: bearer(it) }, { json: { who: number(it), items: [it.item] } })],
          logout: it => [exchange('POST /logout', { headers: bearer(it) }, { status: 204 })],
        }),
      ),
    );
    expect(login.request).to.deep.equal({ POST: '/login', json: { account: '{user:number}', keep: true } });
    expect(read.request).to.deep.equal({ GET: '/cart', headers: { authorization: 'Bearer {authorization}' } });
    expect(carry).to.deep.equal({
      authorization: { header: 'authorization', regexp: 'Bearer ([^\\s;,"]+)', from: 'login' },
    });
  });

  for (const [what, said, place] of [
    [
      'its own header',
      { location: (id: string) => `/baskets/${id}?new=1` },
      { header: 'location', regexp: 'baskets/([^/?#&]+)' },
    ],
    [
      'a header right behind the address',
      { location: (id: string) => `/${id}` },
      { header: 'location', regexp: '^(?:https?://[^/]+)?/([^/?#&]+)' },
    ],
    ['the body', { body: (id: string) => id }, { path: '$.id' }],
  ] as const)
    it(`the id of a cart that was made after the login, from ${what}`, () => {
      const id = (it: PassValues) => `b4sket-${it.n}x`;
      const made = (it: PassValues) => ({
        status: 201,
        json: 'body' in said ? { id: said.body(id(it)) } : {},
        ...('location' in said && { location: said.location(id(it)) }),
      });
      const { carry, login, add, read } = carryOf(
        passesOf(
          {
            start: () => [exchange('GET /', {}, { text: 'Shop' })],
            login: it => [
              exchange(
                'POST /login',
                { json: { user: it.user } },
                { json: { ok: true }, cookies: [`sid=${it.cookie}`] },
              ),
              exchange('POST /baskets', { headers: held(it) }, made(it)),
            ],
            add: it => [
              exchange(
                `POST /baskets/${id(it)}/lines`,
                { json: { sku: it.item }, headers: held(it) },
                { status: 201, json: { id: `l1ne-${it.n}` }, location: `/baskets/${id(it)}/lines/l1ne-${it.n}` },
              ),
            ],
            read: it => [
              exchange(`GET /baskets/${id(it)}`, { headers: held(it) }, { json: { user: it.user, items: [it.item] } }),
            ],
          },
          [exchange('GET /baskets/b0', {}, { status: 401, json: {} })],
        ),
      );
      expect(login.after).to.deep.equal({ POST: '/baskets' });
      expect([add.before, read.before]).to.deep.equal([undefined, undefined]);
      expect(carry).to.deep.equal({ 'baskets-id': { ...place, from: 'login' } });
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

  it('no values of two pages for one step: it says from which request it cannot get one', () => {
    const page = (it: PassValues, name: string) =>
      exchange(`GET /${name}`, { headers: held(it) }, { json: { [name]: `${name}-va1ue-${it.n}` } });
    const passes = passesOf({
      add: it => [
        page(it, 'one'),
        page(it, 'two'),
        exchange(
          'POST /cart',
          { json: { sku: it.item, one: `one-va1ue-${it.n}`, two: `two-va1ue-${it.n}` }, headers: held(it) },
          { json: {} },
        ),
      ],
    });
    expect(inferWith(passes)).to.deep.equal({
      kind: 'problem',
      problem: 'POST /cart needs two from GET /two, and the journey cannot ask for that first: write this step by hand',
    });
  });

  it('nothing for a step that it leaves out, and asks for nothing that only this step needs', () => {
    const passes = passesOf({
      start: it => [exchange('GET /', {}, { text: `<a href="/exit/d00r-of-${it.n}">Shop</a>` })],
      login: it => [
        ...plain.login(it),
        exchange('POST /tickets', { headers: held(it) }, { status: 201, json: { ticket: `t1cket-of-${it.n}` } }),
      ],
      logout: it => [
        exchange(
          `POST /logout/t1cket-of-${it.n}/d00r-of-${it.n}/unkn0wn-${it.n}`,
          { headers: held(it) },
          { status: 204, cookies: ['sid=; Max-Age=0'] },
        ),
      ],
    });
    const inferred = inferWith(passes);
    const { login, logout, carry } = expectJourney(inferred);
    expect(inferred.kind === 'journey' && inferred.notes.join()).to.include('logout is left out: ');
    expect({ before: login.before, after: login.after, logout, carry }).to.deep.equal({
      before: undefined,
      after: undefined,
      logout: undefined,
      carry: undefined,
    });
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
