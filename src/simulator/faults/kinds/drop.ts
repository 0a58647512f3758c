import { defineFault, linkGoneEffect, linkGoneInWords } from '../fault.js';
import { askThroughLink } from '../link-fault.js';
import { packetFault } from '../packet-fault.js';

/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;

/** Drops every packet, as a firewall rule or a pulled cable does. Open connections survive it: after the healing the
 * kernel sends again what was lost. `cut-link` loses it for good. */
export const drop = defineFault({
  summary: 'the kernel drops every packet of a link, handshakes too; after healing TCP sends them again',
  targets: ['link'],
  needsOwnNetwork: true,
  options: {},
  effect: linkGoneEffect,
  effectInWords: linkGoneInWords,
  make: target =>
    packetFault(target, { lostPercent: 100 }, async (end, countPackets) => {
      const before = await countPackets();
      if ((await askThroughLink(end, silentForMs)).answered) return false;
      const dropped = (await countPackets()).struck - before.struck;
      return dropped > 0 && `no answer through it within ${silentForMs} ms, ${dropped} packets dropped by the kernel`;
    }),
});
