import {
  filterPackets,
  type PacketCounts,
  type PacketFilter,
  type PacketRule,
} from '../cluster/links/packet-filter.js';
import { isInOwnNetwork } from '../cluster/processes/own-network.js';
import { LabError } from '../errors.js';
import type { Fault } from './fault.js';
import { type LinkEnd, linkFault, measureReplication } from './link-fault.js';

/**
 * Creates a fault of the packets between one end of a link and its relay. The kernel strikes them, so it also sends
 * them again, as between two machines. `confirm` gets a function that reads the counts of the kernel.
 */
export function packetFault(
  target: string,
  rule: PacketRule,
  confirm: (end: LinkEnd, countPackets: () => Promise<PacketCounts>) => Promise<string | false>,
): Fault {
  let filter: PacketFilter | undefined;
  return linkFault(target, {
    async disturb({ port }, { shell }) {
      // Elsewhere the rule would strike the packets of other programs.
      if (!isInOwnNetwork()) throw new LabError('the lab has no network of its own');
      const added = await filterPackets(shell, port, rule);
      filter = added;
      return async () => {
        await added.remove();
        filter = undefined;
      };
    },
    confirm: async end => filter !== undefined && confirm(end, filter.counts),
    measure: measureReplication(target, async () => (await filter?.counts())?.struckBytes ?? 0),
  });
}
