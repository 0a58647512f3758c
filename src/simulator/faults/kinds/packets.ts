import { portRefuses, silentForMs, waitUntil } from '../../cluster/probe.js';
import { isInOwnNetwork } from '../../cluster/processes/own-network.js';
import {
  filterPackets,
  type PacketCounts,
  type PacketFilter,
  type PacketRule,
} from '../../cluster/processes/packet-filter.js';
import { LabError } from '../../errors.js';
import { percentage } from '../../scenario/values.js';
import { defineFault, type Fault, linkGoneEffect, linkGoneInWords, linkSlowEffect } from '../fault.js';
import { askThroughLink, type LinkEnd, linkFault, measureReplication } from '../link-fault.js';

/** Faults of the packets of a link. The kernel applies them, in a network namespace of the lab. */

/** The shortest time after which Linux sends a single lost packet again (TCP_RTO_MIN). A lost handshake takes 1 s. */
const resentAfterMs = 200;
/** Time limit of one probe: its handshake may be lost once. */
const probeWithinMs = 1_500;
/** Time limit until the first packet is lost. A probe sends about ten. */
const seenWithinMs = 10_000;

/** Loses packets by chance, as a bad cable or a full queue does. TCP sends them again: everything arrives, but later. */
export const loss = defineFault({
  summary: 'the kernel loses a percentage of the packets of a link, by chance; TCP sends them again',
  doneInWords: 'loses packets',
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

/** Drops every packet, as a firewall rule or a pulled cable does. Open connections survive it: after the healing the
 * kernel sends again what was lost. `cut-link` loses it for good. */
export const drop = defineFault(
  linkGoneKind({
    summary: 'the kernel drops every packet of a link, handshakes too; after healing TCP sends them again',
    doneInWords: 'gets no packets',
    rule: { lostPercent: 100 },
    struck: 'dropped',
    look: async end =>
      !(await askThroughLink(end, silentForMs)).answered && `no answer through it within ${silentForMs} ms`,
  }),
);

/** Answers every packet to the other end with a reset, as its firewall does. The sender learns at once that the other
 * end is not there. Open connections are reset at their next packet. Answers that are on the way still arrive. */
export const refuse = defineFault(
  linkGoneKind({
    summary: 'the kernel refuses packets to the other end: new connections fail at once, open ones are reset',
    doneInWords: 'refuses connections',
    rule: 'refuse',
    struck: 'refused',
    look: async ({ link: { port } }) => (await portRefuses(port)) && `port ${port} refuses connections`,
  }),
);

/** How a link shows that no packet passes, and what the kernel does with the packets. */
interface GoneLink {
  readonly summary: string;
  readonly doneInWords: string;
  readonly rule: PacketRule;
  /** The word for what the kernel does, for the evidence: `dropped`. */
  readonly struck: string;
  /** Returns evidence of the fault at the link; false when there is none yet. */
  readonly look: (end: LinkEnd) => Promise<string | false>;
}

/** Describes a kind of fault after which no packet passes through a link. */
function linkGoneKind({ summary, doneInWords, rule, struck, look }: GoneLink) {
  return {
    summary,
    doneInWords,
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
 * Creates a fault of the packets between one end of a link and its relay. The kernel drops or changes the packets, and
 * sends lost ones again, as between two machines. `confirm` gets a function that reads the counts of the kernel.
 */
function packetFault(
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
