import { latency } from '../../cluster/links/toxics.js';
import { duration } from '../../scenario/values.js';
import { defineFault, linkSlowEffect } from '../fault.js';
import { askThroughLink, countHeldBytes, countHeldForward, linkFault, measureReplication } from '../link-fault.js';

/** Time limit of an answer, without the delay that the link adds. */
const answerWithinMs = 2_000;

/** Delays a link, as if one end were far away. Everything arrives, but later. */
export const slow = defineFault({
  summary: 'a link delays all bytes, with a jitter that follows the seed',
  targets: ['link'],
  options: {
    latency: duration(1, '30s')
      .describe('How much longer a request and its answer take together; half of it in each direction.')
      .meta({ examples: ['200ms'] }),
    jitter: duration(0, '30s')
      .prefault('0ms')
      .describe('How much the delay can be above or below the latency, by chance.')
      .meta({ examples: ['50ms'] }),
  },
  effect: (target, { latency, jitter }) => linkSlowEffect(target, Math.max(latency - jitter, latency / 2)),
  effectInWords:
    'an answer through the link took at least half of the latency, and at least the latency minus the jitter',
  make: (target, { latency: latencyMs, jitter: jitterMs }, random) =>
    linkFault(target, {
      disturb: link => link.disturb(latency(latencyMs, jitterMs, random)),
      async confirm(end) {
        const before = countHeldBytes(end.link);
        const { answered, tookMs } = await askThroughLink(end, latencyMs + jitterMs + answerWithinMs);
        // With jitter as large as the latency, any time would do. So the link must also have held bytes.
        const held = countHeldBytes(end.link) > before;
        return answered && held && tookMs >= latencyMs - jitterMs && `an answer through it took ${tookMs} ms`;
      },
      measure: measureReplication(target, countHeldForward),
    }),
});
