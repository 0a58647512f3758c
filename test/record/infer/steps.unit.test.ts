import { expect } from 'chai';
import { expectJourney, inferWith } from './drive.js';
import { cookie, exchange, type PassValues, passesOf, type Steps } from './exchanges.js';

const refused = exchange('GET /cart', {}, { status: 302, location: '/session/new' });
const end = (it: PassValues, said: Parameters<typeof exchange>[2]) =>
  exchange('POST /session/end', { headers: cookie(it) }, said);
const flash = (it: PassValues) =>
  exchange(
    'GET /cart',
    { headers: cookie(it) },
    { text: `<h1>${it.user}</h1><b class="x">${it.item}</b>`, cookies: ['flash=; Max-Age=0'] },
  );
/** An app whose pages delete a cookie that is no session. */
const withLogout = (logout: Steps['logout']) =>
  passesOf(
    {
      login: it => [
        exchange(
          'POST /session',
          { form: { user: it.user } },
          { status: 303, location: '/cart', cookies: [`sid=${it.cookie}`, 'flash=hello'] },
        ),
      ],
      read: it => [flash(it), flash(it)],
      logout,
    },
    [refused],
  );

describe('inferJourney finds the logout', () => {
  for (const [title, logout] of [
    [
      'by the cookie of the login that it deletes',
      it => [end(it, { status: 204, cookies: ['sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT'] })],
    ],
    ['by its redirect, which is that without a login', it => [end(it, { status: 303, location: '/session/new' })]],
    ['by the answers after it', it => [end(it, { json: {} }), exchange('GET /api', {}, { status: 401, json: {} })]],
  ] as const satisfies [string, Steps['logout']][])
    it(title, () => {
      const { logout: found } = expectJourney(inferWith(withLogout(logout)));
      expect(found?.request).to.deep.equal({ POST: '/session/end' });
    });

  it('and names none if there is none', () => {
    const inferred = inferWith(withLogout(it => [flash(it)]));
    expect(expectJourney(inferred)).not.to.have.property('logout');
    expect(inferred.kind === 'journey' && inferred.notes.join()).to.include('no logout was seen');
  });
});
