import { portRefuses } from '../../cluster/probe.js';
import { defineFault, linkGoneEffect, linkGoneInWords } from '../fault.js';
import { packetFault } from '../packet-fault.js';

/** Answers every packet to the other end with a reset, as its firewall does. The sender learns at once that the other
 * end is not there. Open connections are reset at their next packet. Answers that are on the way still arrive. */
export const refuse = defineFault({
  summary: 'the kernel refuses packets to the other end: new connections fail at once, open ones are reset',
  targets: ['link'],
  needsOwnNetwork: true,
  options: {},
  effect: linkGoneEffect,
  effectInWords: linkGoneInWords,
  make: target =>
    packetFault(target, 'refuse', async ({ link: { port } }, countPackets) => {
      const before = await countPackets();
      if (!(await portRefuses(port))) return false;
      const refused = (await countPackets()).struck - before.struck;
      return refused > 0 && `port ${port} refuses connections, ${refused} packets refused by the kernel`;
    }),
});
