/** The short form of bench/soak.ts: a minute of mixed load and faults. Most of it is waiting. */
import { expect } from 'chai';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { soak } from './soak/soak.js';

const durationMs = 60_000;
const seconds = durationMs / 1000;
/** Forty seconds show only a gross memory leak. bench/soak.ts looks for small ones. */
const flatness = { warmUpMs: 20_000, growthMbMax: 48, growthDescriptorsMax: 500 };

describe(`proxy: ${seconds} seconds of mixed load with kills, hangs, drains and reloads`, function () {
  this.timeout(durationMs + 60_000);

  it('gives no wrong answer, no double POST, no stuck request, only expected failures, and no leak', async () => {
    const load = { seed: 7, durationMs, ratePerS: 18, meanGapMs: 3_000 };
    const record = await soak({ ...load, engine: defaultProxyOptions.engine, flags: [] });
    expect(record.verdict(flatness)).to.deep.equal([]);
    expect(record.requests).to.be.greaterThan(seconds * 10);
    expect(record.posts).to.be.greaterThan(seconds * 1.7);
    expect(record.leftOut).to.equal(0);
    expect(record.troubleCounts()).to.include.keys('kill', 'hang', 'drain', 'reload');
    expect([...record.ends.keys()]).to.have.length(12);
  });
});
