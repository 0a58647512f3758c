import {
  filterPackets,
  type PacketCounts,
  type PacketFilter,
  type PacketRule,
} from '../cluster/links/packet-filter.js';
import { isInOwnNetwork } from '../cluster/processes/own-network.js';
import { LabError } from '../errors.js';
import { type Fault, linkGoneEffect, linkGoneInWords } from './fault.js';
import { type LinkEnd, linkFault, measureReplication } from './link-fault.js';

/** How a link shows that no packet passes, and what the kernel does with the packets. */
interface GoneLink {
  readonly summary: string;
  readonly rule: PacketRule;
  /** The word for what the kernel does, for the evidence: `dropped`. */
  readonly struck: string;
  /** Returns in words how it shows at the link, or false. */
  readonly look: (end: LinkEnd) => Promise<string | false>;
}

/** Describes a kind of fault after which no packet passes through a link. */
export function linkGoneKind({ summary, rule, struck, look }: GoneLink) {
  return {
    summary,
    targets: ['link'] as const,
    needsOwnNetwork: true as const,
    options: {},
    effect: linkGoneEffect,
    effectInWords: linkGoneInWords,
    make: (target: string) =>
      packetFault(target, rule, async (end, countPackets) => {
        const before = await countPackets();
        const shown = await look(end);
        if (shown === false) return false;
        const count = (await countPackets()).struck - before.struck;
        return count > 0 && `${shown}, ${count} packets ${struck} by the kernel`;
      }),
  };
}

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
