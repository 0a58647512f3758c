import type { Cluster, ClusterMember, Link } from '../cluster/cluster.js';
import type { Toxic } from '../cluster/links/toxics.js';
import { eventually, waitReadmitted } from '../cluster/probe.js';
import { endsOf, kindOf } from '../cluster/targets.js';
import { LabError } from '../errors.js';
import { wholeNumber } from '../scenario/values.js';
import type { Fault } from './fault.js';

/** A live process answers on loopback within a few milliseconds. */
const answerWithinMs = 1_000;
const healWithinMs = 15_000;
/** So long to wait for an answer that is long enough to be broken off. */
const breakWithinMs = 3_000;

/** A link, and the member that is asked through it. */
export interface LinkEnd {
  readonly link: Link;
  readonly member: ClusterMember;
}

export interface LinkFault {
  toxic(): Toxic;
  /** Looks at the link alone: that its end is well has been seen right before. Otherwise as `Fault.confirm`. */
  confirm(end: LinkEnd, cluster: Cluster): Promise<string | false>;
  /** A counter of the link that grows while the fault does something to it; absent where users show the effect. */
  measure?: ((link: Link) => number) | undefined;
}

/** A fault of a link: something is wrong with what it carries, nothing with its ends. */
export function linkFault(target: string, { toxic, confirm, measure }: LinkFault): Fault {
  let relieve: (() => Promise<void>) | undefined;
  return {
    async inject(cluster) {
      relieve = await cluster.link(target).disturb(toxic());
    },
    async confirm(cluster) {
      const end = endIn(cluster, target);
      return (await end.member.answers(answerWithinMs)) && confirm(end, cluster);
    },
    measure: async cluster => measure?.(cluster.link(target)),
    async heal(cluster) {
      await relieve?.();
      relieve = undefined;
      await waitThrough(cluster, endIn(cluster, target));
    },
  };
}

/** Asks for a sign of life through the link, and looks at the clock. */
export async function askThroughLink({ link, member }: LinkEnd, withinMs: number) {
  const askedMs = performance.now();
  const answered = await member.answers(withinMs, link.port);
  return { answered, tookMs: Math.round(performance.now() - askedMs) };
}

/** Returns `measure` for a link between two members of a store: no user is answered through it, so the link is asked. */
export function measureReplication(target: string, measure: (link: Link) => number): LinkFault['measure'] {
  return endsOf(target)?.every(end => kindOf(end) === 'store') ? measure : undefined;
}

/** What the link has delayed of all that the primary said: the acknowledgements of an idle replica do not count. */
export function heldForward({ traffic }: Link): number {
  return traffic.forward.heldBytes;
}

/** What the link has delayed so far, both ways. */
export function heldBytes({ traffic }: Link): number {
  return traffic.forward.heldBytes + traffic.back.heldBytes;
}

/** Answers that the link has broken off so far. */
export function brokenAnswers({ traffic }: Link): number {
  return traffic.brokenAnswers;
}

/** The option of faults that break answers off. */
export const answerBytes = wholeNumber(0, 1_000_000).describe('So much of an answer arrives, its head included.');

/** Asks through the link, and says whether an answer was broken off. A sign of life may be too short for that: then the
 * answers to users count. */
export async function confirmBroken(end: LinkEnd, bytes: number): Promise<false | string> {
  const { traffic } = end.link;
  const before = traffic.brokenAnswers;
  await end.member.answers(answerWithinMs, end.link.port);
  const broken = await eventually(async () => traffic.brokenAnswers > before, breakWithinMs);
  return broken && `an answer was broken off after ${bytes} bytes`;
}

/** Returns the member that answers through it: mostly its second end; of a link that feeds a replica, the first one. */
function endIn(cluster: Cluster, target: string): LinkEnd {
  const link = cluster.link(target);
  const member = cluster.members.find(({ port }) => port === link.toPort);
  if (member === undefined) throw new LabError(`no member listens at port ${link.toPort}, where ${target} leads`);
  return { link, member };
}

/** Waits until its end answers through it, unless another fault holds that end down. */
async function waitThrough(cluster: Cluster, end: LinkEnd): Promise<void> {
  const { link, member } = end;
  if (member.state === 'dead' || member.state === 'stopped') return;
  if (!(await eventually(() => member.answers(answerWithinMs, link.port), healWithinMs)))
    throw new Error(`${member.name} did not answer through ${link.name} within ${healWithinMs} ms of its healing`);
  // An ejection for errors in a row has its own length: the proxy's answer to the fault, and no part of it.
  await waitReadmitted(cluster, member, healWithinMs, ['ready', 'ejected']);
}
