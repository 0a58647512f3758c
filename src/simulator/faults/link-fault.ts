import type { Cluster, ClusterMember, Link } from '../cluster/cluster.js';
import { waitReadmitted, waitUntil } from '../cluster/probe.js';
import { endsOf, kindOf } from '../cluster/targets.js';
import { LabError } from '../errors.js';
import { wholeNumber } from '../scenario/values.js';
import type { Fault } from './fault.js';

/** A live process answers on loopback within a few milliseconds. */
const answerWithinMs = 1_000;
const healWithinMs = 15_000;
/** Time limit until an answer is long enough to be cut off. */
const breakWithinMs = 3_000;

/** A link and the member that answers through it. */
export interface LinkEnd {
  readonly link: Link;
  readonly member: ClusterMember;
}

export interface LinkFault {
  /** Disturbs the link. Resolves with a function that undoes this and nothing else. */
  disturb(link: Link, cluster: Cluster): Promise<() => Promise<void>>;
  /** Checks only the link: the member at its end was probed right before. Otherwise as `Fault.confirm`. */
  confirm(end: LinkEnd, cluster: Cluster): Promise<string | false>;
  /** Reads a counter of the link that grows while the fault has an effect. Absent when users show the effect. */
  measure?: ((link: Link) => number | Promise<number>) | undefined;
}

/** Creates a fault of a link. It disturbs what the link carries and does not touch its ends. */
export function linkFault(target: string, { disturb, confirm, measure }: LinkFault): Fault {
  let disturbing: Promise<() => Promise<void>> | undefined;
  return {
    async inject(cluster) {
      disturbing = disturb(cluster.link(target), cluster);
      await disturbing;
    },
    async confirm(cluster) {
      const end = findEnd(cluster, target);
      return (await end.member.answers(answerWithinMs)) && confirm(end, cluster);
    },
    measure: async cluster => measure?.(cluster.link(target)),
    async heal(cluster) {
      // A disturbance that failed has changed nothing.
      const undo = await disturbing?.catch(() => undefined);
      await undo?.();
      disturbing = undefined;
      await waitThrough(cluster, findEnd(cluster, target));
    },
  };
}

/** Probes the member through the link and measures the time. */
export async function askThroughLink({ link, member }: LinkEnd, withinMs: number) {
  const askedMs = performance.now();
  const answered = await member.answers(withinMs, link.port);
  return { answered, tookMs: Math.round(performance.now() - askedMs) };
}

/** Returns `measure` for a link between two members of a store, because no user gets an answer through such a link. */
export function measureReplication(target: string, measure: NonNullable<LinkFault['measure']>): LinkFault['measure'] {
  return endsOf(target)?.every(end => kindOf(end) === 'store') ? measure : undefined;
}

/** Returns how many bytes of the primary the link has delayed. Acknowledgements of an idle replica do not count. */
export function countHeldForward({ traffic }: Link): number {
  return traffic.forward.heldBytes;
}

/** Returns how many bytes the link has delayed so far, in both directions. */
export function countHeldBytes({ traffic }: Link): number {
  return traffic.forward.heldBytes + traffic.back.heldBytes;
}

/** Returns how many answers the link has cut off so far. */
export function countBrokenAnswers({ traffic }: Link): number {
  return traffic.brokenAnswers;
}

/** Option of faults that cut answers off. */
export const answerBytes = wholeNumber(0, 1_000_000)
  .describe('Number of bytes of an answer that arrive, its head included.')
  .meta({ examples: [20] });

/** Probes through the link and says whether an answer was cut off. The answer to a probe can be too short for that.
 * Then the answers to users count. */
export async function confirmBroken(end: LinkEnd, bytes: number): Promise<false | string> {
  const { traffic } = end.link;
  const before = traffic.brokenAnswers;
  await end.member.answers(answerWithinMs, end.link.port);
  const broken = await waitUntil(async () => traffic.brokenAnswers > before, breakWithinMs);
  return broken && `an answer was cut off after ${bytes} bytes`;
}

/** Returns the member that answers through the link: usually its second end, with replication its first end. */
function findEnd(cluster: Cluster, target: string): LinkEnd {
  const link = cluster.link(target);
  const member = cluster.members.find(({ port }) => port === link.toPort);
  if (member === undefined) throw new LabError(`no member listens at port ${link.toPort}, where ${target} leads`);
  return { link, member };
}

/** Waits until the member answers through the link, unless another fault has killed or stopped the member. */
async function waitThrough(cluster: Cluster, end: LinkEnd): Promise<void> {
  const { link, member } = end;
  if (member.state === 'dead' || member.state === 'stopped') return;
  if (!(await waitUntil(() => member.answers(answerWithinMs, link.port), healWithinMs)))
    throw new Error(`${member.name} did not answer through ${link.name} within ${healWithinMs} ms of its healing`);
  // An ejection for consecutive errors has its own length. It is a reaction of the proxy and no part of the fault.
  await waitReadmitted(cluster, member, healWithinMs, ['ready', 'ejected']);
}
