import { bandwidth } from '../../cluster/links/toxics.js';
import { byteRate } from '../../scenario/values.js';
import { defineFault, linkSlowEffect } from '../fault.js';
import { askThroughLink, countHeldBytes, countHeldForward, linkFault, measureReplication } from '../link-fault.js';

/** Time limit of an answer: the request may have to wait behind others. */
const askForMs = 500;

/** Limits the bandwidth of a link: later bytes wait until the earlier ones have left. */
export const throttle = defineFault({
  summary: 'a link carries at most so many bytes per second in each direction',
  targets: ['link'],
  options: {
    rate: byteRate.describe('Rate of each direction. All connections share it.').meta({ examples: ['5KB/s'] }),
  },
  effect: target => linkSlowEffect(target),
  effectInWords: 'an answer through the link took longer than twice the 90th percentile of the baseline and 10 ms',
  make: (target, { rate: bytesPerSecond }) =>
    linkFault(target, {
      disturb: link => link.disturb(bandwidth(bytesPerSecond)),
      async confirm(end) {
        const before = countHeldBytes(end.link);
        const { answered, tookMs } = await askThroughLink(end, askForMs);
        const bytes = countHeldBytes(end.link) - before;
        return (
          bytes > 0 && `${answered ? 'an answer' : 'no answer'} through it in ${tookMs} ms, ${bytes} bytes held back`
        );
      },
      measure: measureReplication(target, countHeldForward),
    }),
});
