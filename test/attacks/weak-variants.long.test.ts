/** A sample of weak-variants.full.test.ts: one weak variant of each kind of session. */
import { describeWeakVariants } from './weak-variants-suite.js';

describe('attacks: the probes on a system with a planted weakness', () => {
  // 500 logins show the same of the ids in signed tokens.
  const isLeftOut = (variant: string, attack: string) => variant === 'seal-trusting' && attack === 'predicted-ids';
  describeWeakVariants(['unended-sessions', 'jwt-trusting', 'seal-trusting', 'trusting-sticky'], isLeftOut);
});
