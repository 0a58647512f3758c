/** The short form of bench/soak.ts: a minute of mixed load and trouble. It waits more than it works. */
import { expect } from 'chai';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { soak } from './soak/soak.js';

const durationMs = 60_000;
/** Forty seconds say little of memory: only a gross leak shows here. bench/soak.ts looks for small ones. */
const flatness = { warmUpMs: 20_000, growthMbMax: 48, growthDescriptorsMax: 500 };

describe('proxy: a minute of mixed load with kills, hangs, drains and reloads', function () {
  this.timeout(durationMs + 60_000);

  it('no wrong answer, no POST twice, nothing stuck, no failure but the honest ones, no leak', async () => {
    const record = await soak({
      engine: defaultProxyOptions.engine,
      seed: 7,
      durationMs,
      ratePerS: 18,
      meanGapMs: 3_000,
      flags: [],
    });
    expect(record.verdict(flatness)).to.deep.equal([]);
    expect(record.requests).to.be.greaterThan(600);
    expect(record.posts).to.be.greaterThan(100);
    expect(record.leftOut).to.equal(0);
    expect(record.troubleCounts()).to.include.keys('kill', 'hang', 'drain', 'reload');
    expect([...record.ends.keys()]).to.have.length(12);
  });
});
