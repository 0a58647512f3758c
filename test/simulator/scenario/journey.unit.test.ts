import { expect } from 'chai';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { complaint } from './broken-scenario.js';

/** Valid scenario file. Every part that a test breaks is on its own line. */
const good = `name: own-app
why: To be replacePiece.
modes: [redis]
users:
  arrivals: { rate: 20/s, for: 1s }
  journey:
    login:
      before: { GET: /login }
      request: { POST: /login, form: { user: "{user}", password: secret, _csrf: "{csrf}" } }
      ok: { status: [200, 302], redirect-to: /cart }
    add: { request: { POST: "/cart?x=1", json: { sku: ["{token}"] }, headers: { X-CSRF: "{csrf}" } }, ok: { status: 201 } }
    read: { request: { GET: /cart }, items: { regexp: 'data-sku="([^"]+)"' }, who: { regexp: "<b>([^<]+)</b>" } }
    logout: { request: { POST: /logout } }
    anonymous: { status: 401, or-redirect-to: /login }
    carry:
      csrf: { regexp: 'name="_csrf" value="([^"]+)"', from: login }
`;

function replacePiece(piece: string, by: string): string {
  expect(good).to.include(piece);
  return good.replace(piece, by);
}

const wrong: readonly (readonly [what: string, piece: string, by: string, line: number, said: RegExp])[] = [
  ['a step that is missing', '    add:', '    addd:', 6, /add is missing, expected a map/],
  [
    'an unknown step',
    '    logout:',
    '    log-out:',
    13,
    /unknown key in users.journey "log-out". Did you mean "logout"/,
  ],
  [
    'no way to recognise a logged-out user',
    '    anonymous: { status: 401, or-redirect-to: /login }',
    '    anonymous: {}',
    14,
    /expected at least one of status, redirect-to, body, path and or-redirect-to/,
  ],
  [
    'no journey at all',
    '    logout: { request: { POST: /logout } }',
    '    logout: 7',
    13,
    /found 7, expected a map with the keys before, request/,
  ],
  [
    'a method that does not exist',
    'POST: /logout',
    'PSOT: /logout',
    13,
    /unknown key in logout.request "PSOT". Did you mean "POST"/,
  ],
  ['two methods', 'POST: /logout', 'POST: /logout, GET: /out', 13, /found GET and POST, expected one/],
  ['no method', '{ GET: /login }', '{ headers: { a: b } }', 8, /found no method, expected one, such as GET/],
  ['a path that is none', 'POST: /logout', 'POST: logout', 13, /found "logout", expected a path such as \/cart/],
  [
    'a body for GET',
    '{ GET: /login }',
    '{ GET: /login, form: { a: b } }',
    8,
    /found a body for GET, expected none: use query/,
  ],
  ['two bodies', 'json: { sku', 'form: { a: b }, json: { sku', 11, /found form and json, expected one of the two/],
  [
    'an unknown placeholder',
    '{ POST: /logout }',
    '{ POST: "/logout/{id}" }',
    13,
    /found \{id\}, expected one of \{user\}, \{csrf\}/,
  ],
  ['one in a header', 'X-CSRF: "{csrf}"', 'X-CSRF: "{crsf}"', 11, /found \{crsf\}/],
  ['a token where nothing is added', 'POST: /logout', 'POST: "/logout/{token}"', 13, /found \{token\}/],
  ['an add without its item', '["{token}"]', '[apple]', 11, /expected \{token\} somewhere in it/],
  ['a login without its user', '"{user}"', 'anna', 9, /expected \{user\} somewhere in it/],
  ['a header of the connection', 'X-CSRF:', 'Host:', 11, /found "Host", which the simulated users set themselves/],
  ['a header of two lines', '"{csrf}" } }, ok', '"a\\nb" } }, ok', 11, /expected one line/],
  ['a status that is none', 'status: 201', 'status: 2010', 11, /found 2010, expected a whole number from 200 to 599/],
  [
    'a path that is no JSONPath',
    `{ regexp: 'data-sku="([^"]+)"' }`,
    '"items[*].sku"',
    12,
    /found "items\[\*\].sku", expected a path such as /,
  ],
  [
    'two ways at once',
    `{ regexp: 'data-sku="([^"]+)"' }`,
    `{ path: $.a, regexp: "(a)" }`,
    12,
    /expected one way to find it: path or regexp/,
  ],
  ['a pattern that cannot be compiled', 'data-sku="([^"]+)"', 'data-sku="([^"]+"', 12, /Invalid regular expression/],
  ['a pattern without a group', 'data-sku="([^"]+)"', 'data-sku="[^"]+"', 12, /found 0 groups, expected a group/],
  ['a pattern with a group too many', '<b>([^<]+)</b>', '<(b)>([^<]+)</b>', 12, /found 2 groups, expected one group/],
  [
    'a pattern that may never end',
    '<b>([^<]+)</b>',
    '<b>(([^<]+)*)</b>',
    12,
    /a repeated part can match the same text in two ways/,
  ],
  [
    'a pattern of more than 500 characters',
    '<b>([^<]+)</b>',
    `(${'a'.repeat(500)})`,
    12,
    /expected at most 500 characters/,
  ],
  ['items of a page without a name', `, who: { regexp: "<b>([^<]+)</b>" }`, '', 12, /expected who beside items/],
  [
    'a quantity without a list of items',
    `{ regexp: 'data-sku="([^"]+)"' }`,
    `{ path: $.cart, quantity: "$.q[*]" }`,
    12,
    /expected quantity only beside a path with \[\*\]/,
  ],
  [
    'a whoami that checks nothing',
    '    logout:',
    '    whoami: { request: { GET: /me } }\n    logout:',
    13,
    /expected who: this step checks nothing else/,
  ],
  [
    'a password change without a new password',
    '    logout:',
    '    password: { request: { POST: /password, form: { new: secret } } }\n    logout:',
    13,
    /expected \{new-password\} somewhere in it/,
  ],
  [
    'a new password in another step',
    '    logout:',
    '    refresh: { request: { POST: /refresh, form: { token: "{new-password}" } } }\n    logout:',
    13,
    /found \{new-password\}, expected one of \{user\}/,
  ],
  [
    'a carried value with the name of a reserved placeholder',
    '      csrf: {',
    '      user: { path: $.a }\n      csrf: {',
    16,
    /found \{user\}, which is reserved for the simulated user/,
  ],
  [
    'the origin outside of headers',
    'sku: ["{token}"]',
    'sku: ["{token}", "{origin}"]',
    11,
    /found \{origin\}, expected it only under headers/,
  ],
  [
    'a carried value with the name of the origin',
    '      csrf: {',
    '      origin: { path: $.a }\n      csrf: {',
    16,
    /found \{origin\}, which is reserved/,
  ],
  [
    'a number outside of JSON',
    '_csrf: "{csrf}"',
    '_csrf: "{csrf:number}"',
    9,
    /found \{csrf:number\}, expected a type only for a whole value of json/,
  ],
  [
    'a number inside of a text',
    'sku: ["{token}"]',
    'sku: ["{token}", "no. {csrf:number}"]',
    11,
    /expected a type only for a whole value of json/,
  ],
  [
    'an item that is a number',
    'sku: ["{token}"]',
    'sku: ["{token:number}"]',
    11,
    /found \{token:number\}, and an item is always text/,
  ],
  [
    'an unknown placeholder after the login',
    '      ok: { status: [200, 302], redirect-to: /cart }',
    '      after: { POST: "/carts/{id}" }',
    10,
    /found \{id\}, expected one of \{user\}, \{csrf\}/,
  ],
  [
    'a request after another step',
    'logout: { request: { POST: /logout } }',
    'logout: { request: { POST: /logout }, after: { GET: / } }',
    13,
    /unknown key in logout "after"/,
  ],
  [
    'a header and a path',
    'regexp: \'name="_csrf" value="([^"]+)"\'',
    'header: location, path: $.a',
    16,
    /expected one way to find it: path or regexp or cookie or header, or regexp beside header/,
  ],
  [
    'a body pattern that may never end',
    'status: 201',
    'body: /(a+)+b/',
    11,
    /a repeated part can match the same text in two ways/,
  ],
  ['a body pattern without slashes', 'status: 201', 'body: done', 11, /expected a regular expression between slashes/],
  ['a body pattern with a flag that is none', 'status: 201', 'body: /done/x', 11, /its flags can be i, m, s and u/],
  ['a body pattern that cannot be compiled', 'status: 201', 'body: /(done/i', 11, /Invalid regular expression/],
  ['a body pattern that every body matches', 'status: 201', 'body: /.*/', 11, /it matches every body/],
  ['a flag twice', 'status: 201', 'body: /done/ii', 11, /Invalid flags/],
  ['absent without a path', 'status: 201', 'absent: true', 11, /found absent without path, expected both/],
  ['equals without a path', 'status: 201', 'equals: 1', 11, /found equals without path, expected both/],
  [
    'absent and equals at once',
    'status: 201',
    'path: $.a, absent: true, equals: 1',
    11,
    /found absent and equals, expected one of the two/,
  ],
  ['absent that is false', 'status: 201', 'path: $.a, absent: false', 11, /found false, expected true/],
  ['equals a list', 'status: 201', 'path: $.a, equals: [1]', 11, /found a list, expected text, a number, true, false/],
  ['a body path that is none', 'status: 201', 'path: errors', 11, /found "errors", expected a path such as/],
  [
    'a body pattern of anonymous that may never end',
    'status: 401, or',
    'body: "/(x*)*/", or',
    14,
    /a repeated part can match the same text in two ways/,
  ],
  ['a carried value from nowhere', 'from: login', 'from: log', 16, /unknown step "log"/],
];

describe('scenario file: the journey of the user’s own app', () => {
  it('is read; a single status becomes a list, a single path becomes a place', () => {
    const { journey } = parseScenario(good, 'own.yaml').users;
    if (journey === 'shop') return expect.fail('it is the shop');
    expect(journey.login).to.deep.equal({
      before: { method: 'GET', path: '/login' },
      request: { method: 'POST', path: '/login', form: { user: '{user}', password: 'secret', _csrf: '{csrf}' } },
      ok: { status: [200, 302], 'redirect-to': '/cart' },
    });
    expect(journey.add.request).to.deep.include({ method: 'POST', json: { sku: ['{token}'] } });
    expect(journey.read.items).to.deep.equal({ regexp: 'data-sku="([^"]+)"' });
    expect(journey.anonymous).to.deep.equal({ status: [401], 'or-redirect-to': '/login' });
    const short = replacePiece(`{ regexp: 'data-sku="([^"]+)"' }`, '"$.items[*].sku"');
    expect(parseScenario(short, 'own.yaml').users).to.have.nested.property('journey.read.items.path', '$.items[*].sku');
  });

  it('is read with conditions on the body and with flags of patterns', () => {
    const text = replacePiece('ok: { status: 201 }', 'ok: { body: /ad+ed/i, path: $.errors, absent: true }')
      .replace('{ status: 401, or-redirect-to: /login }', '{ status: [200, 401], path: "$.user", equals: null }')
      .replace(`'data-sku="([^"]+)"'`, `'/^sku=(\\S+)$/m'`);
    const { journey } = parseScenario(text, 'own.yaml').users;
    if (journey === 'shop') return expect.fail('it is the shop');
    expect(journey.add.ok).to.deep.equal({ body: '/ad+ed/i', path: '$.errors', absent: true });
    expect(journey.anonymous).to.deep.equal({ status: [200, 401], path: '$.user', equals: null });
    expect(journey.read.items).to.deep.equal({ regexp: '/^sku=(\\S+)$/m' });
  });

  it('plans no step for which the app has no request', () => {
    const { users } = makePlan(parseScenario(good, 'own.yaml'), 1);
    const kinds = new Set(users.flatMap(({ steps }) => steps.map(({ kind }) => kind)));
    expect([...kinds]).to.have.members(['login', 'add', 'read', 'logout']);
  });

  for (const [what, piece, by, line, said] of wrong)
    it(`refuses ${what} and reports the place`, () => {
      const message = complaint(replacePiece(piece, by), 'own.yaml');
      expect(message).to.match(said);
      expect(message).to.match(new RegExp(`^own\\.yaml:${line}:`, 'm'));
    });
});
