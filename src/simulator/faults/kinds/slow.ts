import { latency } from '../../cluster/links/toxics.js';
import { duration } from '../../scenario/values.js';
import { linkSlowEffect } from '../effects.js';
import { defineFault } from '../fault.js';
import { askThroughLink, heldBytes, heldForward, linkFault, measureReplication } from '../link-fault.js';

/** Beyond what the link adds. */
const answerWithinMs = 2_000;

/** Delays a link, as if one end were far away: everything arrives, only later. */
export const slow = defineFault({
  summary: 'all that goes over a link takes longer, with a jitter that follows the seed',
  targets: ['link'],
  options: {
    latency: duration(1, '30s').describe(
      'So much longer a question and its answer take together, half of it each way.',
    ),
    jitter: duration(0, '30s').prefault('0ms').describe('So much more or less than the latency, by chance.'),
  },
  effect: (target, { latency, jitter }) => linkSlowEffect(target, Math.max(latency - jitter, latency / 2)),
  effectInWords: 'an answer through the link took at least the latency less the jitter, and at least half of it',
  make: (target, { latency: latencyMs, jitter: jitterMs }, random) =>
    linkFault(target, {
      toxic: () => latency(latencyMs, jitterMs, random),
      async confirm(end) {
        const before = heldBytes(end.link);
        const { answered, tookMs } = await askThroughLink(end, latencyMs + jitterMs + answerWithinMs);
        // With as much jitter as latency any time would do: then it counts that something had to wait.
        const held = heldBytes(end.link) > before;
        return answered && held && tookMs >= latencyMs - jitterMs && `an answer through it took ${tookMs} ms`;
      },
      measure: measureReplication(target, heldForward),
    }),
});
