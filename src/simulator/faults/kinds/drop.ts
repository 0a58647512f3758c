import { defineFault } from '../fault.js';
import { askThroughLink } from '../link-fault.js';
import { linkGoneKind } from '../packet-fault.js';

/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;

/** Drops every packet, as a firewall rule or a pulled cable does. Open connections survive it: after the healing the
 * kernel sends again what was lost. `cut-link` loses it for good. */
export const drop = defineFault(
  linkGoneKind({
    summary: 'the kernel drops every packet of a link, handshakes too; after healing TCP sends them again',
    rule: { lostPercent: 100 },
    struck: 'dropped',
    look: async end =>
      !(await askThroughLink(end, silentForMs)).answered && `no answer through it within ${silentForMs} ms`,
  }),
);
