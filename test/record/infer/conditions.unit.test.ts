import { expect } from 'chai';
import { inferJourney } from '#src/record/infer/infer-journey.js';
import { expectJourney, inferWith } from './drive.js';
import { cookie, exchange, type PassValues, passesOf } from './exchanges.js';

type Said = Parameters<typeof exchange>[2];

/** The plain app, whose read is answered in another way. */
const withAnswers = (read: (it: PassValues) => Said, anonymous: Said, more: Parameters<typeof passesOf>[0] = {}) =>
  passesOf({ read: it => [exchange('GET /cart', { headers: cookie(it) }, read(it))], ...more }, [
    exchange('GET /cart', {}, anonymous),
  ]);

const noEarly = {
  login: (it: PassValues) => [
    exchange(
      'POST /login',
      { json: { user: it.user, password: 'secret' } },
      { json: { ok: true }, cookies: [`sid=${it.cookie}`] },
    ),
  ],
};
const cart = (it: PassValues) => ({ json: { user: it.user, items: [it.item] } });
const page = (it: PassValues) => ({ text: `<title>Cart</title><h1>${it.user}</h1><b class="x">${it.item}</b>` });

describe('inferJourney recognises an answer without a login', () => {
  for (const [title, passes, anonymous] of [
    ['by its status', withAnswers(cart, { status: 403, json: {} }, noEarly), { status: 403 }],
    [
      'by the path of its redirect',
      withAnswers(page, { status: 302, location: '/login?next=/cart' }, noEarly),
      { 'redirect-to': '/login' },
    ],
    [
      'by a code in JSON',
      withAnswers(cart, { json: { errors: [{ code: 'NO_LOGIN' }] } }, noEarly),
      { path: '$.errors[0].code', equals: 'NO_LOGIN' },
    ],
    [
      'by a flag in JSON',
      withAnswers(cart, { json: { loggedIn: false, items: [] } }, noEarly),
      { path: '$.loggedIn', equals: false },
    ],
    [
      'by an empty name in JSON',
      withAnswers(cart, { json: { user: null, items: [] } }, noEarly),
      { body: '/"user":\\s*null/' },
    ],
    [
      'by the whole of a short answer',
      withAnswers(cart, { json: { items: [] } }, noEarly),
      { body: String.raw`/^\{"items":\[\]\}\s*$/` },
    ],
    [
      'by a name that is missing, when each answer has one',
      withAnswers(
        cart,
        { json: { user: null, items: [] } },
        {
          login: it => [
            exchange(
              'POST /login',
              { json: { user: it.user, password: 'secret' } },
              { json: { user: it.user }, cookies: [`sid=${it.cookie}`] },
            ),
          ],
          add: it => [
            exchange('POST /cart', { json: { sku: it.item }, headers: cookie(it) }, { json: { user: it.user } }),
          ],
        },
      ),
      { path: '$.user', absent: true },
    ],
    [
      'by a text of its page',
      withAnswers(page, { text: '<h1>Shop</h1><p>Please sign in first</p>' }, noEarly),
      { status: 200, body: '/Please sign in first/' },
    ],
  ] as const)
    it(title, () => expect(expectJourney(inferWith(passes)).anonymous).to.deep.equal(anonymous));

  for (const [title, passes, problem] of [
    [
      'when nothing differs',
      withAnswers(page, { text: '<title>Cart</title>' }, noEarly),
      /is answered with and without a login in the same way/,
    ],
    [
      'when the login redirects there, too',
      withAnswers(
        page,
        { status: 302, location: '/' },
        {
          login: it => [
            exchange(
              'POST /login',
              { form: { user: it.user } },
              { status: 302, location: '/', cookies: [`sid=${it.cookie}`] },
            ),
          ],
        },
      ),
      /POST \/login with a login and GET \/cart without one both redirect to \//,
    ],
  ] as const)
    it(`says so ${title}`, () => {
      const inferred = inferJourney(passes, new Map());
      expect(inferred.kind === 'problem' ? inferred.problem : inferred).to.match(problem);
    });

  it('doubts a text that an empty cart of a user could have, too', () => {
    const empty = { text: '<title>Cart</title><p>Nothing here so far</p>' };
    const notesOf = (more: Parameters<typeof passesOf>[0]) => {
      const inferred = inferWith(withAnswers(page, empty, more));
      return inferred.kind === 'journey' ? inferred.notes.join() : JSON.stringify(inferred);
    };
    expect(notesOf(noEarly)).to.include('a user with a login and an empty cart must not get the same answer');
    const seen = exchange('GET /cart', { headers: {} }, { text: '<h1>hf-user-1</h1><h1>hf-user-2</h1>' });
    expect(notesOf({ login: it => [...noEarly.login(it), seen] })).not.to.include('empty cart');
  });
});
