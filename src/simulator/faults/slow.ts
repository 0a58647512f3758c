import { latency } from '../cluster/links/toxics.js';
import { defineFault } from '../fault.js';
import { askThrough, linkFault } from '../link-fault.js';
import { randomStream } from '../random.js';
import { duration } from '../scenario/values.js';

/** Beyond what the link adds. */
const answerWithinMs = 2_000;

/** As if one end were far away: everything arrives, only later. */
export const slow = defineFault({
  summary: 'all that goes over a link takes longer, with a jitter that is the same in every run',
  targets: ['link'],
  options: {
    latency: duration(1, '30s').describe(
      'So much longer a question and its answer take together, half of it each way.',
    ),
    jitter: duration(0, '30s').prefault('0ms').describe('So much more or less than the latency, by chance.'),
  },
  make: (target, { latency: latencyMs, jitter: jitterMs }) =>
    linkFault(target, {
      toxic: () => latency(latencyMs, jitterMs, randomStream(1, target)),
      async confirm(end) {
        const { forward, back } = end.link.traffic;
        const before = forward.heldBytes + back.heldBytes;
        const { answered, tookMs } = await askThrough(end, latencyMs + jitterMs + answerWithinMs);
        // With as much jitter as latency any time would do: then it counts that something had to wait.
        const held = forward.heldBytes + back.heldBytes > before;
        return answered && held && tookMs >= latencyMs - jitterMs && `an answer through it took ${tookMs} ms`;
      },
    }),
});
