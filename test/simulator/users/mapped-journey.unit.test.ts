import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { CarriedPlace, JourneyMapping } from '#src/simulator/scenario/journey/mapping.js';
import { parseJsonPath, valuesAt } from '#src/simulator/scenario/journey/mapping.js';
import { matchesIn, pageCharactersMax, patternProblem } from '#src/simulator/scenario/journey/page-pattern.js';
import type { AppReply } from '#src/simulator/users/journey.js';
import { mappedJourney } from '#src/simulator/users/mapped-journey.js';
import { judge } from '#src/simulator/users/outcome.js';
import { drive, steps, withServer } from './scripted.js';

const html: JourneyMapping = {
  login: {
    before: { method: 'GET', path: '/login' },
    request: { method: 'POST', path: '/login', form: { user: '{user}', _csrf: '{csrf}' } },
    ok: { status: [302], 'redirect-to': '/cart' },
  },
  add: {
    before: { method: 'GET', path: '/cart' },
    request: { method: 'POST', path: '/cart/{token}', form: { _csrf: '{csrf}' }, headers: { 'X-Seen': '{seen}' } },
    ok: { 'redirect-to': '/cart' },
  },
  read: {
    request: { method: 'GET', path: '/cart', query: { q: 'a b' } },
    items: { regexp: '<li>([^<]+)</li>' },
    who: { regexp: '<b>([^<]+)</b>', as: '{user}@example.com' },
  },
  logout: { request: { method: 'POST', path: '/logout', form: { _csrf: '{csrf}' } }, ok: { 'redirect-to': '/login' } },
  anonymous: { 'or-redirect-to': '/login' },
  carry: { csrf: { regexp: 'name="_csrf" value="([^"]+)"' }, seen: { cookie: 'seen' } },
};

/** An app with HTML pages for one user. Each form has a hidden field that must be sent back. A login changes the
 * field. */
function pages() {
  let user: string | undefined;
  let csrf = 'first=';
  const items: string[] = [];
  const seen: string[] = [];
  const to = (response: ServerResponse, place: string) => response.writeHead(302, { location: place }).end();
  const page = (response: ServerResponse) =>
    response
      .writeHead(200, { 'content-type': 'text/html', 'set-cookie': 'seen=a%20b; Path=/' })
      .end(
        `<b>${user}@example.com</b><ul>${items.map(item => `<li>${item}</li>`).join('')}</ul>` +
          `<input name="_csrf" value="${csrf.replaceAll('=', '&#x3D;')}">`,
      );
  const take = (request: IncomingMessage, response: ServerResponse, form: URLSearchParams) => {
    if (form.get('_csrf') !== csrf) return response.writeHead(403).end('invalid csrf token');
    if (request.url === '/logout') user = undefined;
    else if (request.url === '/login') {
      user = form.get('user') ?? '';
      csrf = 'second=';
    } else items.push(request.url?.replace('/cart/', '') ?? '');
    return to(response, request.url === '/logout' ? '/login' : '/cart');
  };
  const handler = async (request: IncomingMessage, response: ServerResponse) => {
    seen.push(`${request.method} ${request.url} ${request.headers['x-seen'] ?? ''}`.trim());
    let body = '';
    for await (const chunk of request) body += chunk;
    if (request.method === 'POST') take(request, response, new URLSearchParams(body));
    else if (request.url !== '/login' && user === undefined) to(response, '/login');
    else page(response);
  };
  return { handler, seen };
}

describe('users: the journey of a custom app', () => {
  it('carries a hidden field and a cookie, reads names and items from pages, and recognises redirects', async () => {
    const { handler, seen } = pages();
    const journey = mappedJourney(html);
    const { operations } = await withServer(handler, origin =>
      drive(origin, [steps('login', 'add', 'read', 'logout')], { journey }),
    );
    expect(operations.map(({ kind, outcome, identity }) => [kind, outcome, identity])).to.deep.equal([
      ['login', 'ok', undefined],
      ['add', 'ok', undefined],
      ['read', 'ok', 'u1'],
      ['logout', 'ok', undefined],
      ['replay', 'ok', null],
    ]);
    expect(operations[2]?.items).to.deep.equal(['t1']);
    expect(seen).to.deep.equal([
      ...['GET /login', 'POST /login', 'GET /cart', 'POST /cart/t1 a b', 'GET /cart?q=a+b', 'POST /logout'],
      'GET /cart?q=a+b',
    ]);
  });

  it('sends no request when a value to carry is missing, or when the page before it fails', async () => {
    const journey = mappedJourney(html);
    const bare = await withServer(
      (_request, response) => response.end('a page without a form'),
      origin => drive(origin, [steps('login')], { journey }),
    );
    expect(bare.operations[0]).to.include({ outcome: 'fail', error: 'no answer gave a {csrf} to carry' });
    const posts: (string | undefined)[] = [];
    const down = await withServer(
      (request, response) => {
        posts.push(request.method);
        response.writeHead(503).end('<input name="_csrf" value="1">');
      },
      origin => drive(origin, [steps('login')], { journey }),
    );
    expect(down.operations[0]).to.include({ outcome: 'fail', error: 'status 503' });
    expect(posts).to.deep.equal(['GET']);
  });

  it('is anonymous and not applied when the page before an add redirects to the login', async () => {
    const { handler, seen } = pages();
    const journey = mappedJourney(html);
    const { operations } = await withServer(handler, origin =>
      drive(origin, [[{ atMs: 0, kind: 'add', token: 't1' }]], { journey }),
    );
    expect(operations[0]).to.include({ outcome: 'fail', identity: null, error: 'status 302 to /login' });
    expect(seen).to.deep.equal(['GET /cart']);
  });
});

const json: JourneyMapping = {
  login: { request: { method: 'POST', path: '/login', json: { user: '{user}' } } },
  add: {
    request: { method: 'POST', path: '/cart', json: { deep: [{ sku: '{token}', n: 1 }] } },
    ok: { status: [201] },
  },
  read: {
    request: { method: 'GET', path: '/cart' },
    items: { path: '$.items[*].sku', quantity: '$.items[*].n' },
    who: { path: '$.user' },
  },
  anonymous: { status: [401] },
  carry: {},
};

const reply = (status: number, body: unknown, headers: AppReply['headers'] = {}): AppReply => ({
  ...{ handedOver: true, complete: true, status, headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('mapped journey', () => {
  const journey = mappedJourney(json);

  for (const [what, answer, judged] of [
    [
      'a cart',
      {
        user: 'a',
        items: [
          { sku: 'x', n: 2 },
          { sku: 'y', n: 1 },
          { sku: 'x', n: 1 },
        ],
      },
      { outcome: 'ok', identity: 'a', items: ['x', 'x', 'y', 'x'] },
    ],
    ['an empty cart', { user: 'a', items: [] }, { outcome: 'ok', identity: 'a', items: [] }],
    ['a missing cart', { user: 'a' }, { outcome: 'fail', identity: 'a', error: 'the answer holds no cart' }],
    [
      'a cart of lines without items',
      { user: 'a', items: [{ n: 2 }] },
      { outcome: 'fail', identity: 'a', error: 'the answer holds no cart' },
    ],
    [
      'a quantity that is not a number',
      { user: 'a', items: [{ sku: 'x', n: 'many' }] },
      { outcome: 'fail', identity: 'a', error: 'the answer holds no cart' },
    ],
    [
      'a quantity that would fill the memory',
      { user: 'a', items: [{ sku: 'x', n: 1e9 }] },
      { outcome: 'fail', identity: 'a', error: 'the cart holds more than 10000 items' },
    ],
    [
      'a user that is null',
      { user: null, items: [] },
      { outcome: 'fail', identity: null, error: 'answered as anonymous' },
    ],
    ['no name', { items: [] }, { outcome: 'fail', error: 'the answer names no user' }],
    ['no JSON', '<html>', { outcome: 'fail', error: 'the answer names no user' }],
  ] as const)
    it(`reads ${what}`, () => {
      expect(judge('read', reply(200, answer), journey)).to.deep.equal(judged);
    });

  for (const [what, kind, answer, outcome, identity] of [
    ['a status that ok lists', 'add', reply(201, {}), 'ok', undefined],
    ['a status that ok does not list', 'add', reply(200, {}), 'unknown', undefined],
    ['any good status, when ok has no status', 'login', reply(204, ''), 'ok', undefined],
    ['a bad status', 'login', reply(404, ''), 'fail', undefined],
    ['the status of anonymous', 'add', reply(401, {}), 'fail', null],
    ['an error that may have come after the write', 'add', reply(500, {}), 'unknown', undefined],
  ] as const)
    it(`judges a write by ${what}`, () => {
      const judged = judge(kind, answer, journey);
      expect([judged.outcome, judged.identity]).to.deep.equal([outcome, identity]);
    });

  for (const [items, body, found] of [
    ['$.cart', { cart: { x: 2, __proto__x: 1 } }, ['x', 'x', '__proto__x']],
    ['$.cart', { cart: ['x', 'x', 'y'] }, ['x', 'x', 'y']],
    ['$', [], []],
    ['$.lists[*].items[*]', { lists: [{ items: ['x'] }, { items: [] }] }, ['x']],
    ['$.cart', { cart: 7 }, 'the answer holds no cart'],
    ['$.constructor', {}, 'the answer holds no cart'],
  ] as const)
    it(`finds ${JSON.stringify(found)} by ${items} in ${JSON.stringify(body)}`, () => {
      const own = mappedJourney({ ...json, read: { ...json.read, items: { path: items } } });
      expect(own.items(own.parse(reply(200, body)))).to.deep.equal(found);
    });

  it('reads the quantity from a second group, and rejects a cart with an empty quantity', () => {
    const own = mappedJourney({ ...json, read: { ...json.read, items: { regexp: '<li>(.+?) x(.*?)</li>' } } });
    expect(own.items(own.parse(reply(200, '<li>a x2</li><li>b x1</li>')))).to.deep.equal(['a', 'a', 'b']);
    expect(own.items(own.parse(reply(200, '<li>a x</li>')))).to.equal('the answer holds no cart');
  });

  it('uses the flags after a pattern between slashes', () => {
    const itemsBy = (regexp: string) => {
      const own = mappedJourney({ ...json, read: { ...json.read, items: { regexp } } });
      return own.items(own.parse(reply(200, 'sku: a\nSKU: b\nnot sku: c')));
    };
    expect(itemsBy('/^sku: (.)$/m')).to.deep.equal(['a']);
    expect(itemsBy('/^sku: (.)$/im')).to.deep.equal(['a', 'b']);
    expect(itemsBy('sku: (.)')).to.deep.equal(['a', 'c']);
    expect(itemsBy('/cart/(.)/edit'), 'edit is no flags').to.deep.equal([]);
  });

  it('encodes inserted values, and lets no value start another header', () => {
    const own = mappedJourney({
      ...json,
      add: { request: { method: 'PUT', path: '/c/{token}', query: { q: '{token}' }, headers: { 'x-a': '{csrf}' } } },
    });
    const request = own.request('add', 'u', 'a/b&c', new Map([['csrf', 'x\r\nhost: evil']]));
    expect(request).to.deep.equal({ method: 'PUT', path: '/c/a%2Fb%26c?q=a%2Fb%26c', headers: ['x-a', 'xhost: evil'] });
    expect(journey.request('add', 'u', '"', new Map())).to.deep.include({ body: '{"deep":[{"sku":"\\"","n":1}]}' });
  });
});

describe('a value in JSON', () => {
  for (const [written, carried, sent] of [
    ['{id:number}', '17', 17],
    ['{id:number}', '-1.5e3', -1500],
    ['{id:number}', 'none', 'none'],
    ['{id:number}', '', ''],
    ['{id:boolean}', 'true', true],
    ['{id:boolean}', 'false', false],
    ['{id:boolean}', '1', '1'],
    ['{id}', '17', '17'],
    [17, '', 17],
    [true, '', true],
    [null, '', null],
  ] as const)
    it(`is sent as ${JSON.stringify(sent)} for ${written} and "${carried}"`, () => {
      const add = { request: { method: 'POST' as const, path: '/', json: { item: '{token}', value: written } } };
      const request = mappedJourney({ ...json, add }).request('add', 'u', 'x', new Map([['id', carried]]));
      expect(request).to.deep.include({ body: JSON.stringify({ item: 'x', value: sent }) });
    });
});

describe('a value that is carried from a header', () => {
  for (const [what, place, headers, value] of [
    ['the whole header', { header: 'x-token' }, { 'x-token': 'abc' }, 'abc'],
    ['a part of it', { header: 'location', regexp: 'carts/([^/]+)' }, { location: 'http://a:1/carts/b/lines' }, 'b'],
    ['the first of several', { header: 'link', regexp: '<([^>]+)>' }, { link: ['none', '</a>', '</b>'] }, '/a'],
    ['none', { header: 'location', regexp: 'carts/([^/]+)' }, { location: '/login' }, undefined],
    ['an answer without it', { header: 'location' }, {}, undefined],
  ] satisfies [string, CarriedPlace, AppReply['headers'], string | undefined][])
    it(`is ${value ?? 'nothing'} for ${what}`, () => {
      const own = mappedJourney({ ...json, carry: { found: place } });
      const found = new Map(own.carry?.('add', { ...reply(201, {}), headers }, () => undefined));
      expect(found.get('found')).to.equal(value);
    });
});

describe('a form with the header content-type: multipart/form-data', () => {
  it('is sent in parts, which a server reads', async () => {
    const headers = { 'Content-Type': 'multipart/form-data', 'x-a': '1' };
    const add = {
      request: { method: 'POST' as const, path: '/', form: { 'a "b"': 'x\r\n{token} ü', c: '' }, headers },
    };
    const sent = mappedJourney({ ...html, add }).request('add', 'user-1', 'apple', new Map());
    if (typeof sent === 'string') throw new Error(sent);
    expect(sent.headers?.filter(each => each === 'content-type')).to.have.length(1);
    const pairs = Array.from(
      { length: (sent.headers?.length ?? 0) / 2 },
      (_, i) => sent.headers?.slice(2 * i, 2 * i + 2) ?? [],
    );
    const fields = await new Response(sent.body, { headers: Object.fromEntries(pairs) }).formData();
    expect([...fields]).to.deep.equal([
      ['a "b"', 'x\r\napple ü'],
      ['c', ''],
    ]);
  });
});

describe('JSON path', () => {
  for (const text of ['', 'a', '$.', '$.a..b', '$[', '$[x]', "$['a]", '$.a b', '$.1a'])
    it(`rejects ${text || 'an empty text'}`, () => expect(parseJsonPath(text)).to.equal(undefined));

  it('finds by key, index and every element', () => {
    const value = { 'a b': [{ c: 1 }, { c: 2 }] };
    const at = (path: string) => valuesAt(value, parseJsonPath(path) ?? []);
    expect(at(`$['a b'][*].c`)).to.deep.equal([1, 2]);
    expect(at(`$["a b"][1].c`)).to.deep.equal([2]);
    expect(at(`$["a b"][2].c`)).to.equal(undefined);
    expect(at('$.toString')).to.equal(undefined);
  });
});

describe('page pattern', () => {
  for (const source of ['((a+)+)', '(a|b*)*', '(?:a+)*(b)', '((?:a{2,})+)', '(([^"]*)+)', '((?<x>a*)*)'])
    it(`rejects ${source}, which may never end`, () =>
      expect(patternProblem(source, 2)).to.include('match the same text in two ways'));

  for (const source of [
    '<li data-x="([^"]+)">',
    '(a+) x(b*)',
    String.raw`\((a+)\)*`,
    '([+*)]+)',
    '((?:ab)+)',
    '(a{1,3})',
  ])
    it(`accepts ${source}`, () => expect(patternProblem(source, 2)).to.equal(undefined));

  it('stops a search that does not end', () => {
    const pattern = /(a*a*a*a*)b/g;
    expect(patternProblem(pattern.source, 1), 'it ends, only late').to.equal(undefined);
    expect(matchesIn('a'.repeat(2_000), pattern)).to.equal(undefined);
    expect(matchesIn('aab', pattern), 'and goes on with the next').to.deep.equal([['aa']]);
  });

  it('does not search a page of more than a million characters', () => {
    const page = `<a>${' '.repeat(pageCharactersMax)}`;
    expect(matchesIn(page, /(<a>)/g)).to.equal(undefined);
    expect(matchesIn(page.slice(0, pageCharactersMax), /(<a>)/g)).to.deep.equal([['<a>']]);
  });
});
