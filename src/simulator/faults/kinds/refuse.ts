import { portRefuses } from '../../cluster/probe.js';
import { defineFault } from '../fault.js';
import { linkGoneKind } from '../packet-fault.js';

/** Answers every packet to the other end with a reset, as its firewall does. The sender learns at once that the other
 * end is not there. Open connections are reset at their next packet. Answers that are on the way still arrive. */
export const refuse = defineFault(
  linkGoneKind({
    summary: 'the kernel refuses packets to the other end: new connections fail at once, open ones are reset',
    rule: 'refuse',
    struck: 'refused',
    look: async ({ link: { port } }) => (await portRefuses(port)) && `port ${port} refuses connections`,
  }),
);
