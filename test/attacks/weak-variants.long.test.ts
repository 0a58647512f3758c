/** A sample of weak-variants.full.test.ts, which takes the variants of tokens, too. */
import { describeWeakVariants } from './weak-variants-suite.js';

describe('attacks: the probes on a system with a planted weakness', () => {
  describeWeakVariants(['unended-sessions', 'trusting-sticky']);
});
