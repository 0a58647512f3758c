/** A sample of weak-variants.full.test.ts: one weak variant of each kind of session. */
import { describeWeakVariants } from './weak-variants-suite.js';

describe('attacks: the probes on a system with a planted weakness', () => {
  // The same attack on jwt-trusting reads the ids of 500 logins from its tokens. weak-variants.full.test.ts makes both.
  const isLeftOut = (variant: string, attack: string) => variant === 'seal-trusting' && attack === 'predicted-ids';
  describeWeakVariants(['unended-sessions', 'jwt-trusting', 'seal-trusting', 'trusting-sticky'], isLeftOut);
});
