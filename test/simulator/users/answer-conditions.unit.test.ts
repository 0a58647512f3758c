import { expect } from 'chai';
import type { JourneyMapping } from '#src/simulator/scenario/journey/mapping.js';
import type { AppReply } from '#src/simulator/users/journey.js';
import { mappedJourney } from '#src/simulator/users/mapped-journey.js';
import { judge } from '#src/simulator/users/outcome.js';
import { drive, type Handler, json, steps, withServer } from './scripted.js';

const step = { request: { method: 'POST', path: '/' } } as const;

function mapping(parts: Partial<JourneyMapping>): JourneyMapping {
  const read = { request: { method: 'GET', path: '/cart' }, items: { path: '$.items' } } as const;
  return { login: step, add: step, read, logout: step, anonymous: { status: [401] }, carry: {}, ...parts };
}

const reply = (status: number, body: unknown, headers: AppReply['headers'] = {}): AppReply => ({
  ...{ handedOver: true, complete: true, status, headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('conditions of ok on the body', () => {
  for (const [ok, body, outcome] of [
    [{ path: '$.errors', absent: true }, { data: {} }, 'ok'],
    [{ path: '$.errors', absent: true }, { errors: null }, 'ok'],
    [{ path: '$.errors', absent: true }, { errors: [{ message: 'no' }] }, 'unknown'],
    [{ path: '$.errors', absent: true }, '<h1>Oops</h1>', 'unknown'],
    [{ path: '$.data.add.id' }, { data: { add: { id: 0 } } }, 'ok'],
    [{ path: '$.data.add.id' }, { data: { add: null } }, 'unknown'],
    [{ path: '$.ok', equals: true }, { ok: true }, 'ok'],
    [{ path: '$.ok', equals: true }, { ok: 'true' }, 'unknown'],
    [{ path: '$.error', equals: null }, { error: null }, 'ok'],
    [{ path: '$.error', equals: null }, {}, 'unknown'],
    [{ path: '$.all[*].ok', equals: true }, { all: [{ ok: true }, { ok: false }] }, 'unknown'],
    [{ body: '/^done$/im' }, 'x\nDONE\n', 'ok'],
    [{ body: '/^done$/' }, 'x\ndone\n', 'unknown'],
    [{ status: [201], body: '/done/' }, 'done', 'unknown'],
  ] as const)
    it(`judges an add by ${JSON.stringify(ok)} as ${outcome} when the body is ${JSON.stringify(body)}`, () => {
      const journey = mappedJourney(mapping({ add: { ...step, ok } }));
      expect(judge('add', reply(200, body), journey).outcome).to.equal(outcome);
    });

  it('fails a read with another body, and says that the body is the reason', () => {
    const read = { ...mapping({}).read, ok: { path: '$.errors', absent: true } } as const;
    const judged = judge('read', reply(200, { errors: [1], items: [] }), mappedJourney(mapping({ read })));
    expect(judged).to.deep.equal({ outcome: 'fail', error: 'status 200 with another body than expected' });
  });
});

describe('conditions of anonymous', () => {
  const [page, login] = ['<p>Please log in</p>', { location: '/login?next=%2Fcart' }];

  for (const [anonymous, answer, isAnonymous] of [
    [{ body: '/please log in/i' }, reply(200, page), true],
    [{ body: '/please log in/i' }, reply(200, { items: [] }), false],
    [{ status: [401], body: '/log in/' }, reply(401, page), true],
    [{ status: [401], body: '/log in/' }, reply(401, ''), false],
    [{ status: [401], body: '/log in/' }, reply(200, page), false],
    [{ status: [303], 'redirect-to': '/login' }, reply(303, '', login), true],
    [{ status: [303], 'redirect-to': '/login' }, reply(302, '', login), false],
    [{ status: [303], 'redirect-to': '/login' }, reply(303, '', { location: '/cart' }), false],
    [{ status: [401], 'or-redirect-to': '/login' }, reply(302, '', login), true],
    [{ status: [401], 'or-redirect-to': '/login' }, reply(401, ''), true],
    [{ 'or-redirect-to': '/login' }, reply(200, ''), false],
    [{ path: '$.user', absent: true }, reply(200, { user: null }), true],
    [{ path: '$.user', absent: true }, reply(200, { user: 'anna' }), false],
    [
      { path: '$.errors[0].code', equals: 'UNAUTHENTICATED' },
      reply(200, { errors: [{ code: 'UNAUTHENTICATED' }] }),
      true,
    ],
  ] as const)
    it(`${isAnonymous ? 'take' : 'do not take'} ${answer.status} ${answer.body} for ${JSON.stringify(anonymous)}`, () => {
      const journey = mappedJourney(mapping({ anonymous }));
      expect(judge('read', answer, journey).identity === null).to.equal(isAnonymous);
      // An operation with an anonymous answer was certainly not applied.
      expect(judge('add', answer, journey).outcome === 'fail').to.equal(isAnonymous || answer.status === 401);
    });
});

/** An app with a cart behind a bearer token, whose answers name no user. `endsSessions`: whether a logout ends the
 * token. */
function bearerApp(endsSessions: boolean): { readonly handler: Handler; readonly seen: string[] } {
  const sessions = new Map<string, string[]>();
  const seen: string[] = [];
  let logins = 0;
  const handler: Handler = (request, response) => {
    const { method = '', url = '', headers } = request;
    const token = (headers.authorization ?? '').replace('Bearer ', '');
    seen.push(`${method} ${url} ${token}`.trim());
    const cart = sessions.get(token);
    if (url === '/login') {
      logins += 1;
      sessions.set(`t${logins}`, []);
      return json(response, 200, { access_token: `t${logins}` });
    }
    if (cart === undefined) return json(response, 401, {});
    if (url === '/logout' && endsSessions) sessions.delete(token);
    if (method === 'POST' && url.startsWith('/cart/')) cart.push(url.replace('/cart/', ''));
    return json(response, 200, { items: cart });
  };
  return { handler, seen };
}

const headers = { authorization: 'Bearer {token-of-user}' };
const bearer = mapping({
  login: { request: { method: 'POST', path: '/login', json: { user: '{user}' } } },
  add: { request: { method: 'POST', path: '/cart/{token}', headers } },
  read: { request: { method: 'GET', path: '/cart', headers }, items: { path: '$.items' } },
  logout: { request: { method: 'POST', path: '/logout', headers } },
  carry: { 'token-of-user': { path: '$.access_token', from: 'login' } },
});

describe('users: bearer tokens', () => {
  it('are sent as the login returned them, and replaced at the next login', async () => {
    const { handler, seen } = bearerApp(true);
    const plan = [
      ...steps('login', 'add', 'read', 'logout'),
      ...steps('login', 'read').map(at => ({ ...at, atMs: 200 })),
    ];
    const journey = mappedJourney(bearer);
    const { operations } = await withServer(handler, origin => drive(origin, [plan], { journey }));
    expect(operations.filter(({ outcome }) => outcome !== 'ok')).to.deep.equal([]);
    expect(seen).to.deep.equal([
      ...['POST /login', 'POST /cart/t1 t1', 'GET /cart t1', 'POST /logout t1', 'GET /cart t1'],
      ...['POST /login', 'GET /cart t2'],
    ]);
  });

  it('are replayed after the logout: an app that still shows the cart did not end the session', async () => {
    const journey = mappedJourney(bearer);
    const replays = await Promise.all(
      [true, false].map(async endsSessions => {
        const { handler } = bearerApp(endsSessions);
        const run = (origin: string) => drive(origin, [steps('login', 'add', 'logout')], { journey });
        return (await withServer(handler, run)).operations.find(({ kind }) => kind === 'replay');
      }),
    );
    expect(replays[0]).to.include({ outcome: 'ok', identity: null });
    expect(replays[1]).to.deep.include({
      ...{ outcome: 'fail', items: ['t1'], error: 'the cart is shown after the logout' },
    });
  });

  it('are not replayed when the journey carries nothing and there is no cookie', async () => {
    const bare = mapping({ read: { ...mapping({}).read, request: { method: 'GET', path: '/cart/{user}' } } });
    const { operations } = await withServer(
      (_request, response) => json(response, 200, { items: [] }),
      origin => drive(origin, [steps('login', 'logout')], { journey: mappedJourney(bare) }),
    );
    expect(operations.map(({ kind }) => kind)).to.deep.equal(['login', 'logout']);
  });
});

describe('a replay after the logout', () => {
  const nameless = mappedJourney(mapping({}));
  const naming = mappedJourney(mapping({ read: { ...mapping({}).read, who: { path: '$.user' } } }));

  for (const [what, journey, answer, judged] of [
    ['is ok when the answer is anonymous', nameless, reply(401, ''), { outcome: 'ok', identity: null }],
    [
      'is ok when the answer shows neither a name nor an item',
      nameless,
      reply(200, { items: [] }),
      { outcome: 'ok', items: [] },
    ],
    [
      'fails when the answer shows an item, and keeps the item as evidence',
      nameless,
      reply(200, { items: ['a'] }),
      { outcome: 'fail', items: ['a'], error: 'the cart is shown after the logout' },
    ],
    [
      'fails when the answer holds no cart',
      nameless,
      reply(200, {}),
      { outcome: 'fail', error: 'the answer holds no cart' },
    ],
    [
      'fails when the server fails',
      nameless,
      reply(502, ''),
      { outcome: 'fail', error: 'status 502 after the logout' },
    ],
    [
      'fails when the answer names the user, whatever the cart is',
      naming,
      reply(200, { user: 'anna', items: [] }),
      { outcome: 'fail', identity: 'anna', items: [], error: 'status 200 after the logout' },
    ],
  ] as const)
    it(what, () => expect(judge('replay', answer, journey)).to.deep.equal(judged));
});

describe('the session cookie of a custom app', () => {
  /** Sets a session cookie on the login page. `renews`: whether the login sets another one. */
  const app =
    (renews: boolean): Handler =>
    (request, response, nth) => {
      const isLogin = request.url === '/login';
      const setCookie = isLogin && (request.method === 'GET' || renews) ? { 'set-cookie': `sid=${nth}; Path=/` } : {};
      json(response, 200, { items: [] }, setCookie);
    };
  const login = { before: { method: 'GET', path: '/login' }, request: { method: 'POST', path: '/login' } } as const;
  const loginOf = async (renews: boolean, cookie?: string) => {
    const journey = mappedJourney(mapping({ login }), cookie);
    const { operations } = await withServer(app(renews), origin => drive(origin, [steps('login')], { journey }));
    return operations[0];
  };

  it('is recorded as kept when the login keeps the cookie of the login page', async () => {
    expect(await loginOf(false, 'sid')).to.include({ outcome: 'ok', keptId: true });
    expect(await loginOf(true, 'sid')).not.to.have.property('keptId');
    expect(await loginOf(false), 'its name is not known').not.to.have.property('keptId');
  });

  it('is recorded as renewed when an answer other than that of a login or a logout replaces it', async () => {
    const rotating: Handler = (request, response, nth) => {
      const renews = request.method === 'POST' || nth === 4;
      json(response, 200, { items: [] }, renews ? { 'set-cookie': `sid=${Math.min(nth, 4)}; Path=/` } : {});
    };
    const add = { request: { method: 'POST', path: '/cart' } } as const;
    const renewedIn = async (cookie?: string) => {
      const journey = mappedJourney(mapping({ add }), cookie);
      const planned = steps('login', 'read', 'add', 'read', 'read', 'logout');
      const { operations } = await withServer(rotating, origin => drive(origin, [planned], { journey }));
      return operations.map(({ kind, renewed }) => (renewed ? `${kind} renewed` : kind));
    };
    expect((await renewedIn('sid')).slice(0, 6)).to.deep.equal([
      ...['login', 'read', 'add renewed', 'read renewed', 'read', 'logout'],
    ]);
    expect(await renewedIn(), 'its name is not known').to.not.include('add renewed');
  });
});
