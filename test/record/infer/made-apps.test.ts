import { expect } from 'chai';
import fc from 'fast-check';
import { inferMadeApp } from './drive.js';
import { type AppKind, plainKind } from './made-app.js';

describe('inferJourney with apps that it meets', () => {
  for (const [title, change] of [
    ['a page with forms', {}],
    ['a page with forms and a hidden CSRF field', { csrf: 'hidden' }],
    ['a multipart form', { sends: 'multipart' }],
    ['a token in the head of the page', { csrf: 'meta', sends: 'json', answers: 'page' }],
    ['a cookie that comes back as a header', { csrf: 'cookie', sends: 'json', answers: 'echo' }],
    ['a page that answers 200 without a login', { anonymous: 'page' }],
    ['the user as an e-mail address', { user: 'email' }],
    ['JSON with a cookie', { sends: 'json', answers: 'echo', cart: 'json', anonymous: 'status' }],
    [
      'JSON with a token from JSON',
      { sends: 'json', answers: 'echo', cart: 'json', csrf: 'json', anonymous: 'status' },
    ],
    [
      'JSON with a bearer token',
      { sends: 'json', answers: 'page', cart: 'json', session: 'bearer', anonymous: 'status' },
    ],
    ['JSON that says 200 without a login', { sends: 'json', answers: 'page', cart: 'json', anonymous: 'page' }],
    ['an id in the path', { sends: 'json', answers: 'echo', cart: 'json', ids: true, anonymous: 'status' }],
    ['the cart as a map', { sends: 'query', answers: 'echo', cart: 'map', anonymous: 'status', user: 'email' }],
  ] as const) {
    it(`fits ${title}`, async () => {
      const written = await inferMadeApp({ ...plainKind, ...change });
      if (process.env.SHOW) console.log(JSON.stringify(written, undefined, 1));
      expect(written.read).to.be.an('object');
    });
  }
});

/** Leaves out kinds that no browser could use: a page sends no bearer token, and JSON has no hidden field. */
function isPossible({ sends, csrf, session, answers, cart, anonymous }: AppKind): boolean {
  const isPage = cart === 'html';
  if (session === 'bearer' && (isPage || csrf !== 'none' || answers === 'redirect' || sends === 'form')) return false;
  if (isPage ? csrf === 'json' : csrf === 'hidden' || csrf === 'meta') return false;
  if (sends === 'multipart' && (!isPage || csrf === 'meta' || csrf === 'cookie')) return false;
  return !(csrf === 'hidden' && sends !== 'form' && sends !== 'multipart') && !(anonymous === 'redirect' && !isPage);
}

describe('inferJourney with any app', () => {
  it('fits the app, whatever it is like', async () => {
    const kinds = fc.record<AppKind>({
      sends: fc.constantFrom('form', 'multipart', 'json', 'query'),
      csrf: fc.constantFrom('none', 'hidden', 'meta', 'cookie', 'json'),
      session: fc.constantFrom('cookie', 'bearer'),
      answers: fc.constantFrom('redirect', 'page', 'echo'),
      cart: fc.constantFrom('html', 'json', 'map'),
      ids: fc.boolean(),
      anonymous: fc.constantFrom('status', 'redirect', 'page'),
      user: fc.constantFrom('plain', 'email'),
    });
    await fc.assert(
      fc.asyncProperty(kinds.filter(isPossible), async kind => {
        await inferMadeApp(kind);
      }),
      { numRuns: Number(process.env.RUNS ?? 12) },
    );
  });
});
