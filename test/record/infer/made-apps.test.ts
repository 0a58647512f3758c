import { expect } from 'chai';
import { inferMadeApp } from './drive.js';
import { plainKind } from './made-app.js';

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
