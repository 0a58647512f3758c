import { duration } from '../../scenario/values.js';
import { defineFault } from '../fault.js';
import { askUntil, explainNoSwitches, shopSwitchFault } from '../shop-switch-fault.js';

/** Blocks the event loop, as a long computation or garbage collection does. The server has one thread and cannot answer
 * meanwhile. */
export const block = defineFault({
  summary: 'blocks the event loop of a backend again and again: all its users wait',
  targets: ['backend'],
  bySwitch: true,
  effect: (target, { stall }) => ({ kind: 'slow', member: target, atLeastMs: stall / 2 }),
  effectInWords: 'an answer of the backend took at least half of the stall',
  options: {
    stall: duration(1, '10s')
      .describe('How long the event loop is blocked each time.')
      .meta({ examples: ['300ms'] }),
    every: duration(1, '30s')
      .describe('Time between the starts of two stalls. It must be longer than stall.')
      .meta({ examples: ['1s'] }),
  },
  explainMissing: (_target, system, { stall, every }) =>
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
