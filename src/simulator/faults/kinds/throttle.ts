import { bandwidth } from '../../cluster/links/toxics.js';
import { byteRate } from '../../scenario/values.js';
import { linkSlowEffect } from '../effects.js';
import { defineFault } from '../fault.js';
import { askThroughLink, heldBytes, heldForward, linkFault, measureReplication } from '../link-fault.js';

/** The question may have to wait so long behind others. */
const askForMs = 500;

/** A line that is too narrow: what comes later waits until what came before it has gone. */
export const throttle = defineFault({
  summary: 'a link carries so many bytes per second each way, and no more',
  targets: ['link'],
  options: { rate: byteRate.describe('Each way, shared by all connections.') },
  effect: target => linkSlowEffect(target),
  effectInWords: 'an answer through the link took longer than twice the 90th percentile of the baseline and 10 ms',
  make: (target, { rate: bytesPerSecond }) =>
    linkFault(target, {
      toxic: () => bandwidth(bytesPerSecond),
      async confirm(end) {
        const before = heldBytes(end.link);
        const { answered, tookMs } = await askThroughLink(end, askForMs);
        const bytes = heldBytes(end.link) - before;
        return (
          bytes > 0 && `${answered ? 'an answer' : 'no answer'} through it in ${tookMs} ms, ${bytes} bytes held back`
        );
      },
      measure: measureReplication(target, heldForward),
    }),
});
