import { Agent, type RequestListener } from 'node:http';
import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { isOwnFailure, isShortage } from '#src/proxy/sockets.js';
import { cookieOf } from './ask.js';
import { blindHealth, withPool } from './with-proxy.js';
import { withoutDescriptors } from './without-descriptors.js';

/** Closes its connections, so that each request needs a new one. */
const answersAndCloses =
  (name: string): RequestListener =>
  (_, response) =>
    response.setHeader('connection', 'close').end(name);

const failure = (code: string) => Object.assign(new Error(code), { code });

describe('own failure to connect', () => {
  it('is a shortage of this machine, or a connection that it forbids', () => {
    for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']) {
      expect(isShortage(failure(code)), code).to.equal(true);
      expect(isOwnFailure(failure(code)), code).to.equal(true);
    }
    for (const code of ['EACCES', 'EPERM']) {
      expect(isShortage(failure(code)), code).to.equal(false);
      expect(isOwnFailure(failure(code)), code).to.equal(true);
    }
    const others = ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'];
    for (const code of others) expect(isOwnFailure(failure(code)), code).to.equal(false);
    for (const odd of [undefined, 'EMFILE', new Error('EMFILE')]) expect(isOwnFailure(odd)).to.equal(false);
  });

  it('is none when one of several addresses refused', () => {
    const both = (...codes: string[]) => Object.assign(new AggregateError(codes.map(failure)), { code: codes[0] });
    expect(isShortage(both('EADDRNOTAVAIL', 'ECONNREFUSED'))).to.equal(false);
    expect(isOwnFailure(both('EACCES', 'ECONNREFUSED'))).to.equal(false);
    expect(isOwnFailure(both('EMFILE', 'EMFILE'))).to.equal(true);
  });

  for (const engine of Object.keys(engines)) {
    it(`returns 503 and leaves binding, health and suspicion as they are (${engine})`, () =>
      withPool(['backend-1', 'backend-2'].map(answersAndCloses), { engine, health: blindHealth }, async proxy => {
        proxy.forget();
        const agent = new Agent({ keepAlive: true });
        const first = await proxy.ask('/', { agent });
        const cookie = cookieOf(first) ?? '';
        await withoutDescriptors(async () => {
          for (const headers of [{ cookie }, {}]) {
            const answer = await proxy.ask('/', { agent, headers });
            expect(answer.status).to.equal(503);
            expect(answer.headers).to.include({
              'retry-after': '1',
              'proxy-status': 'holdfast; error=proxy_internal_error; outcome=not-sent',
            });
            expect(answer.text).to.equal('This proxy cannot open a connection now; try again in a second.\n');
            expect(answer.headers).to.not.have.property('set-cookie');
          }
        });
        agent.destroy();
        const again = await proxy.as(cookie);
        expect([again.status, again.text]).to.deep.equal([200, first.text]);
        expect(again.headers).to.not.have.property('set-cookie');
        expect(proxy.events).to.deep.equal([]);
        const states = [await proxy.view('backend-1'), await proxy.view('backend-2')].map(({ state }) => state);
        expect(states).to.deep.equal(['ready', 'ready']);
        expect(await proxy.metric('holdfast_proxy_affinity_total{outcome="rebound"}')).to.equal(0);
        expect(await proxy.metric('holdfast_proxy_own_answers_total{status="503",outcome="not-sent"}')).to.equal(2);
        const failed = [1, 2].map(nth =>
          proxy.metric(`holdfast_proxy_attempts_total{backend="backend-${nth}",outcome="own-failure"}`),
        );
        expect((await Promise.all(failed)).reduce((sum, each) => sum + each)).to.equal(2);
        // A suspect backend would get no new browser.
        const served = new Set<string>();
        for (let nth = 0; nth < 4; nth += 1) served.add((await proxy.ask('/')).text);
        expect([...served].sort()).to.deep.equal(['backend-1', 'backend-2']);
      }));
  }
});
