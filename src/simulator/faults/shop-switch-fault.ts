import { ask } from '../cluster/ask.js';
import type { Cluster, ClusterMember } from '../cluster/cluster.js';
import { startAgain, waitReadmitted, waitUntil } from '../cluster/probe.js';
import type { TargetSystem } from '../cluster/targets.js';
import type { Fault } from './fault.js';

/** Switches of the toy shop, with the names of its `/lab` request. */
export interface ShopSwitches {
  readonly errorPercent?: number;
  readonly blockMs?: number;
  readonly blockEveryMs?: number;
  readonly clockMs?: number;
}

interface SwitchFault {
  readonly on: ShopSwitches;
  readonly off: ShopSwitches;
  /** Asks the backend until the fault shows. Returns the evidence; false when it does not show in time. */
  confirm(member: ClusterMember): Promise<string | false>;
}

const answerWithinMs = 15_000;
const healWithinMs = 15_000;

/** Creates a fault that the toy shop makes itself, on request. A new process does not have it any more. */
export function shopSwitchFault(target: string, { on, off, confirm }: SwitchFault): Fault {
  let asked = false;
  return {
    async inject(cluster) {
      asked = true;
      await setSwitches(cluster.member(target), on);
    },
    confirm: async cluster => asked && (await confirm(cluster.member(target))),
    async heal(cluster: Cluster) {
      const member = cluster.member(target);
      if (!asked) return;
      if (!member.isRunning) await startAgain(member);
      else await setSwitches(member, off);
      asked = false;
      await waitReadmitted(cluster, member, healWithinMs);
    },
  };
}

async function setSwitches(member: ClusterMember, switches: ShopSwitches): Promise<void> {
  const { status } = await ask('POST', `http://127.0.0.1:${member.port}/lab`, answerWithinMs, switches);
  if (status !== 200)
    throw new Error(
      `${member.name} answered ${status} to POST /lab; expected 200, as the toy shop does with SHOP_LAB=1`,
    );
}

/** Requests a path of a member again and again until `look` returns evidence. Returns false when the time is over. */
export async function askUntil(
  member: ClusterMember,
  path: string,
  withinMs: number,
  look: (answer: { readonly status: number; readonly json: unknown; readonly tookMs: number }) => string | undefined,
): Promise<string | false> {
  let seen: string | undefined;
  await waitUntil(async () => {
    const began = performance.now();
    const answer = await ask('GET', `http://127.0.0.1:${member.port}${path}`, answerWithinMs);
    seen = look({ ...answer, tookMs: Math.round(performance.now() - began) });
    return seen !== undefined;
  }, withinMs);
  return seen ?? false;
}

/** Says for `explainMissing` that a program of the user has no switches; undefined when the backends are the toy shop. */
export function explainNoSwitches({ backends }: TargetSystem, what: string): string | undefined {
  if (backends.command === undefined) return undefined;
  return `found a backend of your own (system.backends.command), expected the toy shop: only it can simulate ${what}. Break yours with "do: exec"`;
}
