import { describeSoak } from './soak/describe-soak.js';

/**
 * With this seed every kind of fault begins within five seconds. Twelve seconds show no slow leak of memory:
 * soak.full.test.ts looks for it for a minute.
 */
describeSoak({
  seed: 1672,
  durationMs: 12_000,
  ratePerS: 25,
  meanGapMs: 500,
  flatness: { warmUpMs: 3_000, growthMbMax: 48, growthDescriptorsMax: 150 },
});
