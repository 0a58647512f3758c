import { bandwidth } from '../cluster/links/toxics.js';
import { defineFault } from '../fault.js';
import { askThrough, linkFault } from '../link-fault.js';
import { byteRate } from '../scenario/values.js';

/** Who asks may have to wait behind others until then. */
const askForMs = 500;

/** A line that is too narrow: who comes later waits until the earlier have gone. */
export const throttle = defineFault({
  summary: 'a link carries so many bytes per second each way, and no more',
  targets: ['link'],
  options: { rate: byteRate.describe('Each way, shared by all connections.') },
  make: (target, { rate: bytesPerSecond }) =>
    linkFault(target, {
      toxic: () => bandwidth(bytesPerSecond),
      async confirm(end) {
        const { forward, back } = end.link.traffic;
        const before = forward.heldBytes + back.heldBytes;
        const { answered, tookMs } = await askThrough(end, askForMs);
        const bytes = forward.heldBytes + back.heldBytes - before;
        return (
          bytes > 0 && `${answered ? 'an answer' : 'no answer'} through it in ${tookMs} ms, ${bytes} bytes held back`
        );
      },
    }),
});
