import { waitUntil } from '../../cluster/probe.js';
import { percentage } from '../../scenario/values.js';
import { defineFault, linkSlowEffect } from '../fault.js';
import { askThroughLink } from '../link-fault.js';
import { packetFault } from '../packet-fault.js';

/** The shortest time after which Linux sends a single lost packet again (TCP_RTO_MIN). A lost handshake takes 1 s. */
const resentAfterMs = 200;
/** Time limit of one probe: its handshake may be lost once. */
const probeWithinMs = 1_500;
/** Time limit until the first packet is lost. A probe sends about ten. */
const seenWithinMs = 10_000;

/** Loses packets by chance, as a bad cable or a full queue does. TCP sends them again: everything arrives, but later. */
export const loss = defineFault({
  summary: 'the kernel loses a percentage of the packets of a link, by chance; TCP sends them again',
  targets: ['link'],
  needsOwnNetwork: true,
  options: {
    percent: percentage(99)
      .describe(
        'Percentage of lost packets, in each direction. Handshakes are lost, too. The seed does not choose them.',
      )
      .meta({ examples: [30] }),
  },
  effect: target => linkSlowEffect(target, resentAfterMs),
  effectInWords: `an answer through the link took at least ${resentAfterMs} ms, after which Linux sends a lost packet again`,
  make: (target, { percent: lostPercent }) =>
    packetFault(target, { lostPercent }, async (end, countPackets) => {
      let counts = await countPackets();
      let isProbing = false;
      const probe = async () => {
        isProbing = true;
        await askThroughLink(end, probeWithinMs);
        isProbing = false;
      };
      const isLosing = async () => {
        // A probe that lost a packet takes long. The kernel counts the loss at once.
        if (!isProbing) void probe();
        counts = await countPackets();
        return counts.struck > 0;
      };
      return (
        (await waitUntil(isLosing, seenWithinMs)) && `the kernel lost ${counts.struck} of ${counts.packets} packets`
      );
    }),
});
