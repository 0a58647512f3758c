import { expect } from 'chai';
import { answersOk } from '#src/simulator/cluster/probe.js';
import { withSilentListener } from '../../proxy/silent-listener.js';

describe('a probe of the lab', () => {
  it('gives up in time when the connection is never established', () =>
    withSilentListener(async ({ origin }) => {
      const startMs = performance.now();
      expect(await answersOk(origin, 100)).to.equal(false);
      expect(performance.now() - startMs).to.be.within(90, 2_000);
    }));
});
