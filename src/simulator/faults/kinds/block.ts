import { duration } from '../../scenario/values.js';
import { defineFault } from '../fault.js';
import { askUntil, explainNoSwitches, shopSwitchFault } from '../shop-switch-fault.js';

/** Stops the event loop, as a long computation or garbage collection does in a server of one thread: nothing is answered meanwhile. */
export const block = defineFault({
  summary: 'the event loop of a backend stands still, again and again: all its users wait',
  targets: ['backend'],
  bySwitch: true,
  effect: (target, { stall }) => ({ kind: 'slow', member: target, atLeastMs: stall / 2 }),
  effectInWords: 'an answer of the backend took at least half of the stall',
  options: {
    stall: duration(1, '10s').describe('So long it stands still each time.'),
    every: duration(1, '30s').describe('So often, and longer than that.'),
  },
  lacking: (_target, system, { stall, every }) =>
    explainNoSwitches(system, 'stalls') ??
    (stall >= every
      ? `found a stall of ${stall}ms every ${every}ms, expected every to be longer than stall`
      : undefined),
  make: (target, { stall, every }) =>
    shopSwitchFault(target, {
      on: { blockMs: stall, blockEveryMs: every },
      off: { blockMs: 0 },
      confirm: member =>
        askUntil(member, '/health', 5 * every, ({ tookMs }) =>
          tookMs >= stall / 2 ? `GET /health took ${tookMs} ms` : undefined,
        ),
    }),
});
