import { connect } from 'node:net';
import { expect } from 'chai';
import { wireEngine as make } from '#src/proxy/engines/wire.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { raw } from '../ask.js';
import { refusedHeads } from './engine-answers.contract.js';
import { withEngine } from './with-engine.js';

describe('engine wire: its own answers', () => {
  for (const [what, [bytes, , , line]] of Object.entries(refusedHeads)) {
    it(`names what it received of ${what}`, () =>
      withEngine(
        make,
        [],
        async ({ url, engineAnswers }) => {
          await raw(url, bytes);
          const [told] = engineAnswers;
          if (line === '') expect(told).to.include({ method: undefined, path: undefined });
          else expect(`${told?.method} ${told?.path}`.slice(0, line.length)).to.equal(line);
          expect(told?.path?.length ?? 0).to.be.lessThan(2100);
        },
        { limits: { clientHeadMs: 100 } },
      ));
  }

  it('reports a client that closes in the middle of a head', () =>
    withEngine(make, [], async ({ url, engineAnswers }) => {
      const { hostname, port } = new URL(url);
      const client = connect(Number(port), hostname);
      client.write('GET /a?b HT', () => client.destroy());
      expect(await waitUntil(async () => engineAnswers.length > 0, 1000)).to.equal(true);
      expect(engineAnswers).to.have.length(1);
      expect(engineAnswers[0]).to.include({ status: undefined, cause: 'client-closed', method: 'GET', path: '/a?b' });
    }));
});
