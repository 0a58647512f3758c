/** The short forms of bench/soak.ts: some seconds of mixed load and faults. Most of it is waiting. */
import { expect } from 'chai';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { type SoakOptions, soak } from './soak.js';
import type { Flatness } from './soak-record.js';

interface ShortSoak extends Pick<SoakOptions, 'seed' | 'durationMs' | 'ratePerS' | 'meanGapMs'> {
  readonly flatness: Flatness;
}

export function describeSoak({ flatness, ...options }: ShortSoak): void {
  const seconds = options.durationMs / 1000;

  describe(`proxy: ${seconds} seconds of mixed load with kills, hangs, drains and reloads`, function () {
    this.timeout(options.durationMs + 60_000);

    it('gives no wrong answer, no double POST, no stuck request, only expected failures, and no leak', async () => {
      const record = await soak({ ...options, engine: defaultProxyOptions.engine, flags: [] });
      expect(record.verdict(flatness)).to.deep.equal([]);
      expect(record.requests).to.be.greaterThan(seconds * 10);
      expect(record.posts).to.be.greaterThan(seconds * 1.7);
      expect(record.leftOut).to.equal(0);
      expect(record.troubleCounts()).to.include.keys('kill', 'hang', 'drain', 'reload');
      expect([...record.ends.keys()]).to.have.length(12);
    });
  });
}
