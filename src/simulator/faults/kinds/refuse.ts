import { portRefuses } from '../../cluster/probe.js';
import { defineFault, linkGoneEffect, linkGoneInWords } from '../fault.js';
import { packetFault } from '../packet-fault.js';

/** Answers every packet with a reset, as a firewall does, or a host on which nothing listens. The sender learns at once
 * that the other end is not there. Open connections are reset at their next packet. */
export const refuse = defineFault({
  summary: 'the kernel refuses every packet of a link: new connections fail at once, open ones are reset',
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
