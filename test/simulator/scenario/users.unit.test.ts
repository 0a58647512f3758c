import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { complaint } from './broken-scenario.js';

const text = (more: string, arrivals = '{ rate: 20/s, for: 1s, process: uniform }') => `name: own-app
why: To be read.
modes: [redis]
users:
  arrivals: ${arrivals}
  ${more}
  journey:
    login: { request: { POST: /login, form: { user: "{user}" } } }
    add: { request: { POST: /cart, form: { sku: "{token}" } } }
    read: { request: { GET: /cart }, items: "$.items" }
    logout: { request: { POST: /logout } }
    anonymous: { status: 401 }
`;

const twenty = Array.from({ length: 20 }, (_, index) => `anna.${index}@x-y.org`);

const read = [
  ['a pattern of names', 'names: "shopper{n}@example.com"', { names: 'shopper{n}@example.com' }],
  ['as many names as users come', `names: [${twenty.join(', ')}]`, { names: twenty }],
  [
    'a mix of the steps of the journey',
    'mix: { add: 3, read: 0.5, logout: 0 }',
    { mix: { add: 3, read: 0.5, logout: 0 } },
  ],
  ['the session cookie', 'cookie: connect.sid', { cookie: 'connect.sid' }],
  ['a slow add at the logout', 'slow-at-logout: 300ms', { slowAtLogoutMs: 300 }],
] as const;

const wrong: readonly (readonly [what: string, more: string, said: RegExp])[] = [
  ['a pattern without {n}', 'names: shopper', /found "shopper", expected a pattern such as/],
  ['a pattern with {n} twice', 'names: "{n}-{n}"', /expected a pattern such as/],
  ['a pattern with a space', 'names: "a {n}"', /expected a pattern such as/],
  ['a pattern of names that are too long', `names: "${'a'.repeat(60)}{n}"`, /up to 64 letters/],
  ['names that are a number', 'names: 7', /found 7, expected a pattern such as/],
  ['no names', 'names: []', /expected at least one name/],
  ['a name twice', 'names: [anna, anna]', /found a name twice, expected each once/],
  ['a name with a slash', 'names: [a/b]', /found "a\/b", expected a name of up to 64 letters/],
  [
    'fewer names than users',
    'names: [anna, berta]',
    /found 2 names for 20 users that come, expected one for each: add names, or write max-active: 2 under users.arrivals/,
  ],
  ['a mix without adds', 'mix: { add: 0, read: 1 }', /found 0, expected a weight above 0/],
  ['a mix without reads', 'mix: { add: 1 }', /users.mix.read is missing, expected a weight above 0/],
  ['a weight below 0', 'mix: { add: 1, read: 1, logout: -1 }', /found -1, expected a weight from 0/],
  ['a mix with a login', 'mix: { add: 1, read: 1, login: 1 }', /unknown key in users.mix "login"/],
  [
    'a mix with a step that the journey lacks',
    'mix: { add: 1, read: 1, whoami: 2 }',
    /found whoami, but users.journey has no step whoami: add it there, or remove it here/,
  ],
  ['a cookie that is no name', 'cookie: a b', /found "a b", expected the name of a cookie/],
];

describe('scenario file: the users of the user’s own app', () => {
  for (const [what, more, users] of read)
    it(`reads ${what}`, () => expect(parseScenario(text(more), 'own.yaml').users).to.deep.include(users));

  it('reads two names when only two users ever arrive', () => {
    const few = text('names: [anna, berta]', '{ rate: 20/s, for: 1s, max-active: 2 }');
    expect(parseScenario(few, 'own.yaml').users.names).to.deep.equal(['anna', 'berta']);
  });

  for (const [what, more, said] of wrong)
    it(`refuses ${what} and reports the place`, () => {
      const message = complaint(text(more), 'own.yaml');
      expect(message).to.match(said);
      expect(message).to.match(/^own\.yaml:6:/m);
    });
});
