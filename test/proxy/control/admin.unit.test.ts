import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { startAdmin } from '#src/proxy/control/admin.js';
import { poolOfTwo, rejection, withAdmin } from '../with-admin.js';

describe('admin API', () => {
  describe('actions', () => {
    it('lists the backends', () =>
      withAdmin(async ({ ask, pool }) => {
        const answer = await ask('GET', '/backends');
        expect(answer).to.include({ status: 200, type: 'application/json' });
        expect(answer.json).to.deep.equal({ backends: pool.views });
      }));

    const changes: readonly (readonly [body: string, asked: string])[] = [
      ['{"state":"drain"}', 'backend-2 drain undefined'],
      ['{"state":"drain","windowMs":0}', 'backend-2 drain 0'],
      ['{"state":"drain","windowMs":5000}', 'backend-2 drain 5000'],
      ['{"state":"maint"}', 'backend-2 maint undefined'],
      ['{"weight":3}', 'backend-2 weighs 3'],
      ['{"weight":0}', 'backend-2 weighs 0'],
      [' { "state" : "ready" } ', 'backend-2 ready undefined'],
    ];
    for (const [body, asked] of changes) {
      it(`PUT ${body} asks for: ${asked}`, () =>
        withAdmin(async ({ ask, pool }) => {
          const answer = await ask('PUT', '/backends/backend-2', { body });
          expect(answer.status).to.equal(200);
          expect(answer.json).to.deep.equal(pool.views[1]);
          expect(pool.asked).to.deep.equal([asked]);
        }));
    }

    it('PUT sets both a weight and a state', () =>
      withAdmin(async ({ ask, pool }) => {
        const body = '{"weight":1000,"state":"drain","windowMs":7}';
        expect((await ask('PUT', '/backends/backend-1', { body })).status).to.equal(200);
        expect(pool.asked).to.deep.equal(['backend-1 weighs 1000', 'backend-1 drain 7']);
      }));

    it('finds a backend by its percent-encoded name', () =>
      withAdmin(async ({ ask, pool }) => {
        expect((await ask('DELETE', '/backends/backend%2D1')).status).to.equal(204);
        expect(pool.views.map(({ name }) => name)).to.deep.equal(['backend-2']);
      }));

    it('adds a backend and returns its location, then removes it', () =>
      withAdmin(async ({ ask, pool }) => {
        const added = await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3009"}' });
        expect(added).to.include({ status: 201, location: '/backends/backend-3' });
        expect(added.json).to.include({ name: 'backend-3', url: 'http://127.0.0.1:3009' });
        expect(await ask('DELETE', '/backends/backend-3')).to.include({ status: 204, text: '' });
        expect((await ask('DELETE', '/backends/backend-3')).status).to.equal(404);
        expect(pool.views).to.have.length(2);
      }));

    it('adds a backend with its weight, 1 by default', () =>
      withAdmin(async ({ ask, pool }) => {
        await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3009","weight":1000}' });
        await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3010","weight":0}' });
        await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3011"}' });
        expect(pool.views.slice(2).map(({ weight }) => weight)).to.deep.equal([1000, 0, 1]);
      }));

    it('returns the metrics in the format of Prometheus', () =>
      withAdmin(async ({ ask }) => {
        const answer = await ask('GET', '/metrics?format=text');
        expect(answer).to.include({ status: 200, text: 'up 1\n', type: 'text/plain; version=0.0.4; charset=utf-8' });
      }));
  });

  describe('refusals, which change nothing', () => {
    const badStates = [
      '',
      '{',
      'null',
      '[]',
      '"drain"',
      '{}',
      '{"state":"down"}',
      '{"state":"Drain"}',
      '{"state":["drain"]}',
      '{"state":"drain","force":true}',
      '{"state":"drain","windowMs":-1}',
      '{"state":"drain","windowMs":1.5}',
      '{"state":"drain","windowMs":"5s"}',
      '{"state":"drain","windowMs":86400001}',
      '{"state":"ready","windowMs":5}',
      '{"windowMs":5}',
      '{"weight":1,"windowMs":5}',
      '{"weight":-1}',
      '{"weight":1001}',
      '{"weight":1.5}',
      '{"weight":"3"}',
      '{"weight":null}',
      '{"state":"down","weight":3}',
      '{"state":"drain","weight":1001}',
    ];
    for (const body of badStates) {
      it(`PUT ${body || 'without a body'}: returns 400 and names what was expected`, () =>
        withAdmin(async ({ ask, pool }) => {
          const answer = await ask('PUT', '/backends/backend-1', { body });
          expect(answer.status).to.equal(400);
          expect(answer.text).to.include('expected {\\"state\\":\\"drain\\"|\\"maint\\"|\\"ready\\"}');
          expect(pool.asked).to.deep.equal([]);
        }));
    }

    const badUrls = [
      'nonsense',
      '',
      '127.0.0.1:3001',
      'ftp://127.0.0.1',
      'http://127.0.0.1:3001/app',
      'http://127.0.0.1:3001/?a',
      'http://u:p@127.0.0.1:3001',
      'http://127.0.0.1:3001/#a',
      'http://127.0.0.1:70000',
    ];
    for (const url of badUrls) {
      it(`POST of the url "${url}": returns 400`, () =>
        withAdmin(async ({ ask, pool }) => {
          const answer = await ask('POST', '/backends', { body: JSON.stringify({ url }) });
          expect(answer.status).to.equal(400);
          expect(answer.text).to.include('http://host:port');
          expect(pool.views).to.have.length(2);
        }));
    }

    for (const weight of ['-1', '1001', '0.5', '"1"', 'null']) {
      it(`POST with the weight ${weight}: returns 400`, () =>
        withAdmin(async ({ ask, pool }) => {
          const body = `{"url":"http://127.0.0.1:3009","weight":${weight}}`;
          const answer = await ask('POST', '/backends', { body });
          expect(answer.status).to.equal(400);
          expect(answer.text).to.include('a whole number from 0');
          expect(pool.views).to.have.length(2);
        }));
    }

    it('returns 409 for a second backend at the same address', () =>
      withAdmin(async ({ ask, pool }) => {
        const answer = await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3001/"}' });
        expect(answer).to.include({ status: 409, text: '{"error":"backend-1 has this url already"}\n' });
        expect(pool.views).to.have.length(2);
      }));

    it('returns 404 for an unknown backend and lists the known ones', () =>
      withAdmin(async ({ ask }) => {
        for (const answer of [
          await ask('PUT', '/backends/backend-9', { body: '{"state":"drain"}' }),
          await ask('DELETE', '/backends/backend-9'),
          await ask('DELETE', '/backends/%E0%A4%A'),
        ]) {
          expect(answer.status).to.equal(404);
          expect(answer.text).to.include('Known: backend-1, backend-2.');
        }
      }));

    it('returns 404 for an unknown path and lists the known ones', () =>
      withAdmin(async ({ ask }) => {
        for (const path of [
          '/',
          '/backend',
          '/backends/',
          '/backends/a/b',
          '/metrics/',
          '/__proto__',
          '/backends%2Fa',
        ]) {
          const answer = await ask('GET', path);
          expect(answer.status, path).to.equal(404);
          expect(answer.text).to.include('/backends, /backends/<name>, /metrics, /events');
        }
      }));

    const methods: readonly (readonly [method: string, path: string, allow: string])[] = [
      ['PUT', '/backends', 'GET, POST'],
      ['GET', '/backends/backend-1', 'PUT, DELETE'],
      ['PATCH', '/backends/backend-1', 'PUT, DELETE'],
      ['POST', '/metrics', 'GET'],
      ['DELETE', '/events', 'GET'],
    ];
    for (const [method, path, allow] of methods) {
      it(`${method} ${path}: returns 405 and allows ${allow}`, () =>
        withAdmin(async ({ ask, pool }) => {
          expect(await ask(method, path)).to.include({ status: 405, allow });
          expect(pool.views).to.have.length(2);
        }));
    }

    it('returns 413 for a body over 4 KiB, announced or not, and accepts exactly 4 KiB', () =>
      withAdmin(async ({ ask, pool }) => {
        const padded = (bytes: number) => '{"state":"drain"}'.padEnd(bytes);
        expect((await ask('PUT', '/backends/backend-1', { body: padded(4097) })).status).to.equal(413);
        const chunked = { body: padded(100_000), headers: { 'transfer-encoding': 'chunked' } };
        expect((await ask('PUT', '/backends/backend-1', chunked)).status).to.equal(413);
        expect(pool.asked).to.deep.equal([]);
        expect((await ask('PUT', '/backends/backend-1', { body: padded(4096) })).status).to.equal(200);
      }));

    it('returns 500 with the reason when the proxy throws, and serves the next request', () =>
      withAdmin(async ({ ask, pool }) => {
        pool.metrics = () => Promise.reject(new Error('no numbers today'));
        expect(await ask('GET', '/metrics')).to.include({ status: 500, text: '{"error":"no numbers today"}\n' });
        expect((await ask('GET', '/backends')).status).to.equal(200);
      }));
  });

  describe('closing', () => {
    it('ends event streams and idle connections at once, unsubscribes, and is idempotent', () =>
      withAdmin(async ({ open, close, url, pool }) => {
        const stream = await open();
        const idle = connect(Number(url.port), url.hostname);
        await once(idle, 'connect');
        const ended = [once(stream.head, 'close'), once(idle, 'close')];
        idle.on('error', () => {});
        stream.head.on('error', () => {});
        await Promise.all([close(), close()]);
        await Promise.all(ended);
        expect(pool.listeners.size).to.equal(0);
        await close();
        const again = connect(Number(url.port), url.hostname);
        const [error] = await once(again, 'error');
        expect(error).to.have.property('code', 'ECONNREFUSED');
      }));

    it('rejects with the error of the system when the port is taken', () =>
      withAdmin(async ({ url }) => {
        const second = startAdmin({ host: '127.0.0.1', port: Number(url.port), token: undefined }, poolOfTwo());
        expect(await rejection(second)).to.include('EADDRINUSE');
      }));

    it('returns a usable URL for IPv6 too', () =>
      withAdmin(
        async ({ url, ask }) => {
          expect(url.hostname).to.equal('[::1]');
          expect((await ask('GET', '/backends')).status).to.equal(200);
        },
        { host: '::1' },
      ));
  });
});
