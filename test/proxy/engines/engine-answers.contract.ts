import { connect } from 'node:net';
import { expect } from 'chai';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { raw } from '../ask.js';
import { throughWith, withEngine } from './with-engine.js';

const get = (fields: string, line = 'GET /a?b HTTP/1.1') => `${line}\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;
/** The bytes, what the engine reports, and how the request line begins. */
export const refusedHeads: Readonly<
  Record<string, readonly [bytes: string, status: number, cause: string, line: string]>
> = {
  'bytes that are not HTTP': ['\x16\x03\x01\r\n\r\n', 400, 'malformed', ''],
  'two Hosts': [get('Host: y\r\n'), 400, 'host', 'GET /a?b'],
  'a target that is not served': [get('', 'GET http:///a HTTP/1.1'), 400, 'target', 'GET http:///a'],
  'a coding besides chunked': [get('Transfer-Encoding: gzip\r\n'), 400, 'framing', 'GET /a?b'],
  'a target that is too long': [get('', `GET /a?b${'x'.repeat(17_000)} HTTP/1.1`), 414, 'target-bytes', 'GET /a?b'],
  'an unknown expectation': [get('Expect: 42-towels\r\n'), 417, 'expectation', 'GET /a?b'],
  'a head that is too long': [get(`X: ${'x'.repeat(17_000)}\r\n`), 431, 'header-bytes', 'GET /a?b'],
  'too many fields': [get('X: 1\r\n'.repeat(100)), 431, 'header-fields', 'GET /a?b'],
  'a CONNECT': ['CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\n\r\n', 501, 'method', 'CONNECT y:443'],
  'a head that does not arrive': ['GET /a?b HT', 408, 'header-timeout', 'GET /a?b'],
};

/** Tests that an engine reports each answer that it gives by itself. */
export function itReportsItsAnswers(make: EngineFactory): void {
  const through = throughWith(make);

  describe('answers of the engine itself', () => {
    for (const [what, [bytes, status, cause, line]] of Object.entries(refusedHeads)) {
      it(`reports ${status} once for ${what}`, () =>
        withEngine(
          make,
          [],
          async ({ url, engineAnswers, exchanges }) => {
            const answer = await raw(url, bytes);
            expect(answer).to.match(new RegExp(`^HTTP/1.1 ${status} `));
            const [told, ...more] = engineAnswers;
            expect(more).to.deep.equal([]);
            expect(told).to.include({ status, cause, clientAddress: '127.0.0.1', secure: false, inExchange: false });
            expect(answer).to.contain(`\r\n\r\n${told?.text}\n`);
            // Node's server does not tell what it received of a head that it refused.
            if (told?.method !== undefined) expect(`${told.method} ${told.path}`.slice(0, line.length)).to.equal(line);
            expect(exchanges).to.deep.equal([]);
          },
          { limits: { clientHeadMs: 100 } },
        ));
    }

    const post = 'POST /up HTTP/1.1\r\nHost: x\r\n';
    for (const [what, bytes, status, cause] of [
      ['a malformed body', 'Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nno size\r\n', 400, 'body-malformed'],
      ['a body that stops arriving', 'Content-Length: 10\r\n\r\nhalf', 408, 'body-timeout'],
    ] as const) {
      it(`reports ${status} once for ${what}, and in the outcome of its exchange`, () =>
        through(
          () => {},
          async ({ url, engineAnswers, settled }) => {
            const answer = await raw(url, post + bytes);
            expect(answer).to.match(new RegExp(`^HTTP/1.1 ${status} `));
            const [told, ...more] = engineAnswers;
            expect(more).to.deep.equal([]);
            expect(told).to.include({ status, cause, method: 'POST', path: '/up', inExchange: true });
            expect(await settled(1)).to.deep.equal([{ kind: 'abandoned', own: { status, text: told?.text } }]);
            expect(answer).to.contain(`\r\n\r\n${told?.text}\n`);
          },
          { limits: { idleBodyMs: 100 } },
        ));
    }

    it('reports nothing for a connection that sends nothing, and nothing for a served request', () =>
      through(
        (_, response) => response.end('ok'),
        async ({ url, engineAnswers }) => {
          const { hostname, port } = new URL(url);
          const silent = connect(Number(port), hostname);
          await new Promise(resolve => silent.once('connect', resolve));
          silent.destroy();
          expect(await raw(url, get(''))).to.match(/^HTTP\/1.1 200 /);
          expect(await raw(url, `${get('').replace('close', 'keep-alive')}${get('')}`)).to.match(/^HTTP\/1.1 200 /);
          expect(engineAnswers).to.deep.equal([]);
        },
      ));
  });
}
