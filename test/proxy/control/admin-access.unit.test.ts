import { connect } from 'node:net';
import { expect } from 'chai';
import { startAdmin } from '#src/proxy/control/admin.js';
import { poolOfTwo, rejection, withAdmin } from '../with-admin.js';

describe('admin API: access', () => {
  const pages: readonly (readonly [what: string, headers: Record<string, string>])[] = [
    ['a page of another site', { origin: 'https://evil.example' }],
    ['a page without an origin of its own', { origin: 'null' }],
    ['a page of another port here', { origin: 'http://127.0.0.1:8090' }],
    ['an image in a page of another site', { 'sec-fetch-site': 'cross-site' }],
    ['a name that was pointed at this address', { host: 'evil.example' }],
    ['such a name with a port', { host: 'evil.example:8081' }],
    ['a name that only looks like an address', { host: '127.0.0.1.evil.example' }],
    ['a name that only looks local', { host: 'localhost.evil.example' }],
  ];
  for (const [what, headers] of pages) {
    it(`refuses ${what}`, () =>
      withAdmin(async ({ ask, pool }) => {
        for (const [method, path] of [
          ['GET', '/backends'],
          ['GET', '/events'],
          ['DELETE', '/backends/backend-1'],
        ] as const) {
          expect((await ask(method, path, { headers })).status).to.equal(403);
        }
        expect(pool.views).to.have.length(2);
      }));
  }

  it('refuses a request without a Host header or with an empty one', () =>
    withAdmin(async ({ url }) => {
      for (const head of [
        'GET /backends HTTP/1.0\r\n\r\n',
        'GET /backends HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n',
      ]) {
        const socket = connect(Number(url.port), url.hostname).setEncoding('latin1');
        socket.write(head);
        const answer = (await socket.toArray()).join('');
        expect(answer).to.match(/^HTTP\/1\.1 403 /);
      }
    }));

  for (const host of ['127.0.0.1', '127.0.0.1:8081', 'localhost', 'LOCALHOST:1', '[::1]', '[::1]:8081', '10.0.0.1']) {
    it(`accepts the Host ${host}`, () =>
      withAdmin(async ({ ask }) =>
        expect((await ask('GET', '/backends', { headers: { host } })).status).to.equal(200),
      ));
  }

  for (const host of ['0.0.0.0', '::', '10.1.2.3', 'example.org', '127.evil.example']) {
    it(`does not start on ${host} without a token, and says what to do`, async () => {
      const start = startAdmin({ host, port: 0, token: undefined }, poolOfTwo());
      expect(await rejection(start))
        .to.include('needs a bearer token')
        .and.include('randomBytes')
        .and.include('127.0.0.1');
    });
  }

  for (const token of ['', 'two words', 'é']) {
    it(`does not start with the token "${token}", which no header can carry`, async () => {
      expect(await rejection(startAdmin({ host: '127.0.0.1', port: 0, token }, poolOfTwo()))).to.include(
        'visible ASCII',
      );
    });
  }

  const credentials: readonly (readonly [authorization: string | undefined, status: number])[] = [
    ['Bearer s3cret', 200],
    ['bearer  s3cret', 200],
    [undefined, 401],
    ['', 401],
    ['s3cret', 401],
    ['Basic s3cret', 401],
    ['Bearer', 401],
    ['Bearer s3cre', 401],
    ['Bearer s3crets', 401],
    ['Bearer S3cret', 401],
    ['Bearer s3cret s3cret', 401],
  ];
  for (const [authorization, status] of credentials) {
    for (const host of ['0.0.0.0', '127.0.0.1']) {
      it(`returns ${status} on ${host} with a token for ${authorization ?? 'no header'}`, () =>
        withAdmin(
          async ({ ask }) => {
            const answer = await ask(
              'GET',
              '/backends',
              authorization === undefined ? {} : { headers: { authorization } },
            );
            expect(answer.status).to.equal(status);
            expect(answer.challenge).to.equal(status === 401 ? 'Bearer realm="holdfast admin"' : undefined);
          },
          { host, token: 's3cret' },
        ));
    }
  }

  it('refuses web pages off loopback too, even with the token', () =>
    withAdmin(
      async ({ ask }) => {
        const headers = { authorization: 'Bearer s3cret', origin: 'https://evil.example' };
        expect((await ask('GET', '/backends', { headers })).status).to.equal(403);
        expect(
          (await ask('GET', '/backends', { headers: { ...headers, origin: undefined, host: 'lb.example' } })).status,
        ).to.equal(200);
      },
      { host: '0.0.0.0', token: 's3cret' },
    ));
});
