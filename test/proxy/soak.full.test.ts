import { describeSoak } from './soak/describe-soak.js';

/** Forty seconds show only a gross memory leak. bench/soak.ts looks for small ones. */
describeSoak({
  seed: 7,
  durationMs: 60_000,
  ratePerS: 18,
  meanGapMs: 3_000,
  flatness: { warmUpMs: 20_000, growthMbMax: 48, growthDescriptorsMax: 500 },
});
