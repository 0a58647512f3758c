import { expect } from 'chai';
import fc from 'fast-check';
import { inferJourney } from '#src/record/infer/infer-journey.js';
import type { Pass, RecordedExchange } from '#src/record/recording.js';
import { expectJourney, inferWith } from './drive.js';
import { cookie, exchange, type PassValues, type PlainStep, passesOf, plain, refused } from './exchanges.js';

const plainJourney = {
  login: {
    request: { POST: '/login', json: { user: '{user}', password: 'secret' } },
    ok: { status: 200, path: '$.ok', equals: true },
  },
  add: { request: { POST: '/cart', json: { sku: '{token}' } }, ok: { status: [200, 201] } },
  read: {
    request: { GET: '/cart' },
    ok: { status: 200 },
    items: { path: '$.items[*].sku', quantity: '$.items[*].quantity' },
    who: { path: '$.user' },
  },
  logout: { request: { POST: '/logout' }, ok: { status: 204 } },
  anonymous: { status: 401 },
};

describe('inferJourney', () => {
  it('writes the journey of a plain app', () => {
    expect(expectJourney(inferWith(passesOf()))).to.deep.equal(plainJourney);
  });

  it('never throws, and writes no journey that the schema refuses, whatever is missing or bent', () => {
    const whole = passesOf();
    const all = [...whole.first.exchanges, ...whole.second.exchanges, ...whole.anonymous];
    const bent = fc.record({
      path: fc.oneof(
        fc.constantFrom(
          '/cart',
          '/cart?sku=hf-item-1',
          '/%7Bx%7D/hf-user-1',
          '/a?b&b=%E0%A4%A',
          '//x',
          '/cart?q={user}',
        ),
        fc.webPath(),
      ),
      status: fc.constantFrom(200, 204, 302, 401, 500),
      requestBody: fc.oneof(
        fc.constantFrom('', '{"a":"{user}"}', 'user=hf-user-1&x=%', '[hf-item-1', '[1,{"a.b":"hf-item-2"}]'),
        fc.json(),
        fc.string(),
      ),
      responseBody: fc.oneof(
        fc.constantFrom('', '<li>hf-item-1', '{"__proto__":{"a":["hf-item-1"]},"":1}', 'hf-user-1&#61;'),
        fc.json(),
        fc.string(),
      ),
    });
    const bend = (exchange: RecordedExchange) =>
      fc.option(bent, { freq: 3 }).map(change => ({ ...exchange, ...change }));
    const passes = fc.tuple(
      ...[1, 2, 3].map(() => fc.shuffledSubarray(all).chain(some => fc.tuple(...some.map(bend)))),
    );
    fc.assert(
      fc.property(passes, ([one = [], two = [], anonymous = []]) => {
        const bad = {
          first: { ...whole.first, exchanges: one },
          second: { ...whole.second, exchanges: two },
          anonymous,
        };
        const inferred = inferWith(bad, () => 0);
        if (inferred.kind === 'journey') expectJourney(inferred);
      }),
      { numRuns: Number(process.env.RUNS ?? 40) },
    );
  });

  describe('says what is missing in the passes', () => {
    const nothing = () => [];
    const asFirst = (step: PlainStep) => (it: PassValues) => plain[step]({ ...it, user: 'hf-user-1' });
    for (const [title, passes, problem] of [
      [
        'when no request carries the user',
        passesOf({ login: nothing }),
        /no request of the first pass carries the user hf-user-1/,
      ],
      [
        'when the app refuses the login',
        passesOf({
          login: it => [exchange('POST /login', { json: { user: it.user, password: 'wrong' } }, { status: 401 })],
          add: nothing,
          read: nothing,
          logout: nothing,
        }),
        /refused the login of the first pass: POST \/login was answered with status 401/,
      ],
      [
        'when the app asks for no items without a login',
        passesOf({}, [exchange('GET /me', {}, { json: { user: null } })]),
        /never asks for GET \/cart: .* type this path behind the address of the pass: \/cart$/,
      ],
      [
        'when the second pass has the same user',
        passesOf({ login: asFirst('login'), read: asFirst('read') }),
        /the second pass repeats the first/,
      ],
      [
        'when no request carries the item',
        passesOf({ add: nothing }),
        /no request of the first pass carries the item hf-item-1/,
      ],
      [
        'when only the first pass adds an item',
        passesOf({ add: it => (it.n === 1 ? plain.add(it) : []) }),
        /second pass carries the item hf-item-2/,
      ],
      ['when the item is never shown', passesOf({ read: nothing }), /only the answer to the add itself shows the item/],
      [
        'when the passwords differ',
        passesOf({
          login: it => [
            exchange(
              'POST /login',
              { json: { user: it.user, password: `secret-${it.n}` } },
              { json: {}, cookies: [`sid=${it.cookie}`] },
            ),
          ],
        }),
        /the passwords of the two users differ/,
      ],
      [
        'when a browser had the cookie already',
        passesOf({ start: it => [exchange('GET /', { headers: cookie(it) }, { text: 'Shop' })] }),
        /first pass already had the cookie sid/,
      ],
      [
        'when the third pass shows the item',
        passesOf({}, [
          exchange('GET /cart', {}, { json: { user: 'hf-user-2', items: [{ sku: 'hf-item-2', quantity: 1 }] } }),
        ]),
        /without a login shows the item of a user/,
      ],
      [
        'when the third pass logs in',
        passesOf({}, [exchange('POST /login', { json: { user: 'hf-user-2' } }, { json: {} }), ...refused]),
        /the pass without a login carries the name of a user/,
      ],
      [
        'when the browser of the third pass is not fresh',
        passesOf({}, [exchange('GET /cart', { headers: { cookie: 'sid=old' } }, { json: { items: [] } })]),
        /the browser of the third pass already had the cookie sid/,
      ],
      [
        'when the third pass asks for something else',
        passesOf({}, [exchange('GET /about', {}, { text: 'About' })]),
        /never asks for GET \/cart/,
      ],
      [
        'when a pass is empty',
        { ...passesOf(), second: { user: 'hf-user-2', item: 'hf-item-2', exchanges: [] } },
        /the second pass has no request/,
      ],
    ] as const)
      it(title, () => {
        const inferred = inferJourney(passes, new Map());
        expect(inferred.kind === 'problem' ? inferred.problem : inferred).to.match(problem);
      });
  });

  describe('leaves out what is no part of the journey', () => {
    const noiseOf = ({ user, item, n }: PassValues) => [
      exchange('GET /logo.png', {}, { type: 'image/png', text: item }),
      exchange('GET /app.js', {}, { type: 'text/javascript', text: `const user = '${user}'` }),
      exchange('GET /sw.js', { headers: { 'sec-fetch-dest': 'serviceworker' } }, { type: 'text/plain' }),
      exchange(`GET /next/${item}`, { headers: { 'sec-purpose': 'prefetch' } }, { text: item }),
      exchange('OPTIONS /cart', {}, { status: 204 }),
      exchange('POST /beacon', { form: { user, item }, headers: { 'sec-fetch-mode': 'no-cors' } }, { status: 204 }),
      exchange('GET /events', {}, { type: 'text/event-stream', text: item }),
      exchange('GET /socket', {}, { status: 101 }),
      exchange(`GET /poll?_=17000000000${n}7`, {}, { json: { at: 17000000000 + n, unread: n } }),
      exchange('GET /poll?_=1700000000123', {}, { json: { at: 17000000005 + n, unread: 0 } }),
      exchange(`GET /search?q=${item}`, {}, { json: { found: [{ sku: item, quantity: 1 }] } }),
      exchange('GET /products', {}, { json: { articles: [{ sku: 'hf-item-1' }, { sku: 'hf-item-2' }] } }),
      exchange('GET /keep-alive', {}, { status: 204 }),
      exchange('POST /track', { json: { page: '/cart' } }, { status: 202 }),
    ];

    it('wherever it stands', () => {
      const places = fc.array(fc.nat(1_000), { minLength: 28, maxLength: 28 });
      fc.assert(
        fc.property(places, places, (firsts, seconds) => {
          const passes = passesOf();
          const withNoise = (pass: Pass, n: 1 | 2, at: readonly number[]): Pass => {
            const exchanges = [...pass.exchanges];
            for (const [i, each] of noiseOf({ n, user: pass.user, item: pass.item, cookie: '' }).entries())
              exchanges.splice((at[i] ?? 0) % (exchanges.length + 1), 0, each);
            return { ...pass, exchanges };
          };
          const noisy = {
            ...passes,
            first: withNoise(passes.first, 1, firsts),
            second: withNoise(passes.second, 2, seconds),
          };
          expect(expectJourney(inferWith(noisy))).to.deep.equal(plainJourney);
        }),
        { numRuns: 15 },
      );
    });
  });

  describe('asks what the passes do not decide', () => {
    const beacon = ({ user, item }: PassValues) => exchange('POST /track', { json: { user, item } }, { json: {} });
    for (const [title, passes, id, labels] of [
      [
        'when two requests carry the item',
        passesOf({ add: it => [beacon(it), ...plain.add(it)] }),
        'add',
        ['POST /track', 'POST /cart'],
      ],
      [
        'when two requests log in',
        passesOf({
          login: it => [
            exchange(
              'POST /register',
              { json: { user: it.user, password: 'secret' } },
              { json: {}, cookies: [`sid=${it.cookie}`] },
            ),
            ...plain.login(it),
          ],
        }),
        'login',
        ['POST /register', 'POST /login'],
      ],
      [
        'when an answer has two lists with the item',
        passesOf({
          read: it => [
            exchange(
              'GET /cart',
              { headers: cookie(it) },
              { json: { user: it.user, items: [it.item], seen: [it.item] } },
            ),
          ],
        }),
        'read',
        ['GET /cart: $.seen[*]', 'GET /cart: $.items[*]'],
      ],
      [
        'when a value of the add differs, and no answer showed it',
        passesOf({
          add: it => [
            exchange('POST /cart', { json: { sku: it.item, key: `a1b2-${it.n}` }, headers: cookie(it) }, { json: {} }),
          ],
        }),
        'add $.key',
        ['always send "a1b2-1"', 'send another text each time (the name of the item)', 'leave it out'],
      ],
      [
        'when the browser makes a random value for each add, which is then sent anew',
        passesOf({
          add: it => [
            exchange(
              'POST /cart',
              { json: { sku: it.item, key: `9f1c2d3e-4b5a-4c6d-${it.n}` }, headers: cookie(it) },
              { json: {} },
            ),
          ],
        }),
        'add $.key',
        ['send another text each time (the name of the item)', 'always send "9f1c2d3e-4b5a-4c6d-1"', 'leave it out'],
      ],
    ] as const)
      it(title, () => {
        const inferred = inferJourney(passes, new Map());
        if (inferred.kind !== 'question') throw new Error(JSON.stringify(inferred));
        expect(inferred.question.id).to.equal(id);
        expect(inferred.question.candidates.map(({ label }) => label)).to.deep.equal(labels);
        for (const candidate of inferred.question.candidates) {
          const next = inferJourney(passes, new Map([[id, candidate.id]]));
          expect(next.kind === 'question' ? next.question.id : '').not.to.equal(id);
        }
        expectJourney(inferWith(passes, all => all.indexOf(labels.at(-1) ?? '')));
      });
  });
});
