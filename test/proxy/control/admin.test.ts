import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { startAdmin } from '#src/proxy/control/admin.js';
import { poolOfTwo, rejection, withAdmin } from '../with-admin.js';

describe('admin API', () => {
  describe('what it does', () => {
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

    it('PUT of a weight and a state does both', () =>
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

    it('adds a backend and says where it is, then removes it', () =>
      withAdmin(async ({ ask, pool }) => {
        const added = await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3009"}' });
        expect(added).to.include({ status: 201, location: '/backends/backend-3' });
        expect(added.json).to.include({ name: 'backend-3', url: 'http://127.0.0.1:3009' });
        expect(await ask('DELETE', '/backends/backend-3')).to.include({ status: 204, text: '' });
        expect((await ask('DELETE', '/backends/backend-3')).status).to.equal(404);
        expect(pool.views).to.have.length(2);
      }));

    it('adds a backend with its weight, which is 1 where none is given', () =>
      withAdmin(async ({ ask, pool }) => {
        await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3009","weight":1000}' });
        await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3010","weight":0}' });
        await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3011"}' });
        expect(pool.views.slice(2).map(({ weight }) => weight)).to.deep.equal([1000, 0, 1]);
      }));

    it('gives the metrics as Prometheus expects them', () =>
      withAdmin(async ({ ask }) => {
        const answer = await ask('GET', '/metrics?format=text');
        expect(answer).to.include({ status: 200, text: 'up 1\n', type: 'text/plain; version=0.0.4; charset=utf-8' });
      }));
  });

  describe('what it refuses, and changes nothing', () => {
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
      it(`PUT ${body || 'without a body'}: 400 with what was expected`, () =>
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
      it(`POST of the url "${url}": 400`, () =>
        withAdmin(async ({ ask, pool }) => {
          const answer = await ask('POST', '/backends', { body: JSON.stringify({ url }) });
          expect(answer.status).to.equal(400);
          expect(answer.text).to.include('http://host:port');
          expect(pool.views).to.have.length(2);
        }));
    }

    for (const weight of ['-1', '1001', '0.5', '"1"', 'null']) {
      it(`POST with the weight ${weight}: 400`, () =>
        withAdmin(async ({ ask, pool }) => {
          const body = `{"url":"http://127.0.0.1:3009","weight":${weight}}`;
          const answer = await ask('POST', '/backends', { body });
          expect(answer.status).to.equal(400);
          expect(answer.text).to.include('a whole number from 0');
          expect(pool.views).to.have.length(2);
        }));
    }

    it('a second backend at an address that has one', () =>
      withAdmin(async ({ ask, pool }) => {
        const answer = await ask('POST', '/backends', { body: '{"url":"http://127.0.0.1:3001/"}' });
        expect(answer).to.include({ status: 409, text: '{"error":"backend-1 has this url already"}\n' });
        expect(pool.views).to.have.length(2);
      }));

    it('an unknown backend, with the known ones', () =>
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

    it('an unknown path, with the known ones', () =>
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
      it(`${method} ${path}: 405, allowed are ${allow}`, () =>
        withAdmin(async ({ ask, pool }) => {
          expect(await ask(method, path)).to.include({ status: 405, allow });
          expect(pool.views).to.have.length(2);
        }));
    }

    it('a body over 4 KiB, announced or not, and takes one of exactly 4 KiB', () =>
      withAdmin(async ({ ask, pool }) => {
        const padded = (bytes: number) => '{"state":"drain"}'.padEnd(bytes);
        expect((await ask('PUT', '/backends/backend-1', { body: padded(4097) })).status).to.equal(413);
        const chunked = { body: padded(100_000), headers: { 'transfer-encoding': 'chunked' } };
        expect((await ask('PUT', '/backends/backend-1', chunked)).status).to.equal(413);
        expect(pool.asked).to.deep.equal([]);
        expect((await ask('PUT', '/backends/backend-1', { body: padded(4096) })).status).to.equal(200);
      }));

    it('a proxy that fails to answer becomes a 500 that says why, and the next request is served', () =>
      withAdmin(async ({ ask, pool }) => {
        pool.metrics = () => Promise.reject(new Error('no numbers today'));
        expect(await ask('GET', '/metrics')).to.include({ status: 500, text: '{"error":"no numbers today"}\n' });
        expect((await ask('GET', '/backends')).status).to.equal(200);
      }));
  });

  describe('closing', () => {
    it('ends event streams and idle connections at once, lets go of the proxy, and may be asked twice', () =>
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

    it('names itself as it can be reached over IPv6 too', () =>
      withAdmin(
        async ({ url, ask }) => {
          expect(url.hostname).to.equal('[::1]');
          expect((await ask('GET', '/backends')).status).to.equal(200);
        },
        { host: '::1' },
      ));
  });
});
