import { expect } from 'chai';
import { tryJourney } from '#src/simulator/app-check/trial.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { writeScenario } from '#src/simulator/scenario/write.js';
import { mappedJourney } from '#src/simulator/users/mapped-journey.js';
import { drive, type Handler, json, steps, withServer } from './scripted.js';

/** An app that checks the Origin of writes and the types of fields, and names a new cart only in the header Location. */
function strictApp(seen: string[] = []): Handler {
  const carts = new Map<string, string[]>();
  let user: string | undefined;
  return async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const route = `${request.method} ${request.url}`;
    seen.push(`${route} ${body}`.trim());
    const isWrite = request.method !== 'GET';
    if (isWrite && request.headers.origin !== `http://${request.headers.host}`)
      return json(response, 403, { error: 'no' });
    if (route === 'POST /login') {
      const { referer, 'sec-fetch-site': site } = request.headers;
      if (referer !== `http://${request.headers.host}/login` || site !== 'same-origin')
        return json(response, 403, { error: `from ${referer}, ${site}` });
      user = JSON.parse(body).user;
      return json(response, 200, { id: 17, vip: true }, { 'set-cookie': 'sid=1; Path=/' });
    }
    if (user === undefined || request.headers.cookie !== 'sid=1') return json(response, 401, {});
    if (route === 'POST /carts') {
      const id = `c${carts.size + 1}`;
      carts.set(id, []);
      return json(response, 201, {}, { location: `http://${request.headers.host}/carts/${id}` });
    }
    const lines = carts.get(request.url?.split('/')[2] ?? '');
    if (lines === undefined) return json(response, 404, {});
    if (!isWrite) return json(response, 200, { user, items: lines });
    const { item, ...others } = JSON.parse(body);
    const isRight = JSON.stringify(others) === '{"quantity":1,"owner":17,"vip":true}';
    if (isRight) lines.push(item);
    return json(response, isRight ? 201 : 422, {});
  };
}

const origin = 'headers: { origin: "{origin}" }';
const good = `
    login:
      request:
        POST: /login
        json: { user: "{user}" }
        headers: { origin: "{origin}", referer: "{origin}/login", sec-fetch-site: same-origin }
      after: { POST: /carts, ${origin} }
    add: { request: { POST: "/carts/{cart}", json: { item: "{token}", quantity: 1, owner: "{id:number}", vip: "{vip:boolean}" }, ${origin} } }
    read: { request: { GET: "/carts/{cart}" }, items: "$.items[*]", who: $.user }
    anonymous: { status: 401 }
    carry:
      cart: { header: Location, regexp: "/carts/([^/]+)", from: login }
      id: $.id
      vip: $.vip
`;

const parse = (journey: string) =>
  parseScenario(
    `name: app\nwhy: a\nmodes: [redis]\nusers:\n  arrivals: { rate: 1/s, for: 1s }\n  journey:${journey}`,
    'app.yaml',
  );

function parseJourney(written: string) {
  const { journey } = parse(written).users;
  return journey === 'shop' ? expect.fail('the shop') : journey;
}

describe('a journey of an app that is strict about its requests', () => {
  it('sends the origin, the types and the address that the app wants', () => {
    const seen: string[] = [];
    return withServer(strictApp(seen), async app => {
      const journey = mappedJourney(parseJourney(good));
      const { operations } = await drive(app, [steps('login', 'add', 'read')], { journey });
      expect(operations.map(({ kind, outcome }) => `${kind} ${outcome}`)).to.deep.equal([
        'login ok',
        'add ok',
        'read ok',
      ]);
      expect(operations.at(-1)?.items).to.deep.equal(['t1']);
      expect(seen).to.deep.equal([
        'POST /login {"user":"u1"}',
        'POST /carts',
        'POST /carts/c1 {"item":"t1","quantity":1,"owner":17,"vip":true}',
        'GET /carts/c1',
      ]);
    });
  });

  it('stays the same when it is written to a file again', () => {
    const scenario = parse(good);
    expect(parseScenario(writeScenario(scenario), 'app.yaml').users.journey).to.deep.equal(scenario.users.journey);
  });

  it('sends each address its own origin', () => {
    const app = strictApp();
    return withServer(app, one =>
      withServer(app, async other => {
        const journey = mappedJourney(parseJourney(good));
        const { operations } = await drive([one, other], [steps('login', 'add'), steps('login', 'add')], { journey });
        expect(operations.map(({ outcome }) => outcome)).to.deep.equal(['ok', 'ok', 'ok', 'ok']);
      }),
    );
  });

  it('fits in a check, which shows the login and not the request after it', () =>
    withServer(strictApp(), async app => {
      const tried = await tryJourney(app, parseJourney(good), { user: 'u1', timeoutMs: 2_000 });
      expect(tried.flatMap(({ advice }) => advice ?? [])).to.deep.equal([]);
      expect(tried.find(({ what }) => what === 'login')?.exchange?.request?.path).to.equal('/login');
    }));

  for (const [what, right, wrong, at, said] of [
    ['no origin', '{ origin: "{origin}", referer', '{ referer', 'login.request', 'origin: "{origin}"'],
    ['no origin after the login', `/carts, ${origin}`, '/carts', 'login.after', 'origin: "{origin}"'],
    [
      'a request after the login that fails',
      'after: { POST: /carts,',
      'after: { POST: /none,',
      'login.after',
      'status 404',
    ],
    ['a text for a number', '{id:number}', '{id}', 'add.request', 'If it wants a number: "{id:number}"'],
    [
      'a header that is not there',
      'Location',
      'X-Cart',
      'carry.cart',
      'no answer of login gave it; the headers of those answers: content-type, set-cookie',
    ],
  ] as const)
    it(`gets the advice what to write for ${what}`, () =>
      withServer(strictApp(), async app => {
        expect(good).to.include(right);
        const tried = await tryJourney(app, parseJourney(good.replace(right, wrong)), { user: 'u1', timeoutMs: 2_000 });
        const advice = tried.flatMap(step => step.advice ?? []).find(each => each.at.join('.') === at);
        expect(`${advice?.problem}; ${advice?.hint}`, JSON.stringify(tried, undefined, 1)).to.include(said);
      }));

  it('counts a login as not done when the request after it fails', () =>
    withServer(strictApp(), async app => {
      const journey = mappedJourney(parseJourney(good.replace('after: { POST: /carts,', 'after: { POST: /none,')));
      const { operations } = await drive(app, [steps('login')], { journey });
      expect(operations.map(({ outcome, error }) => `${outcome}: ${error}`)).to.deep.equal([
        'unknown: the request after it failed: status 404',
      ]);
    }));
});
