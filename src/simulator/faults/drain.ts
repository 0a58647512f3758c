import { waitReadmitted } from '../cluster/probe.js';
import { hasLeft, type TakenOut, takeOut } from '../cluster/take-out.js';
import type { FaultEntry } from '../fault.js';

const exitWithinMs = 5_000;
const healWithinMs = 15_000;

/** A deploy, done well: the proxy sends nobody new, then the process is asked to end and ends by itself. */
export const drain: FaultEntry = {
  summary: 'drained by the proxy, then SIGTERM; healed by a new start and "ready"',
  targets: ['backend'],
  options: {},
  make: target => {
    let taken: TakenOut = { drained: false, asked: false };
    return {
      async inject(cluster) {
        taken = await takeOut(cluster, target);
      },
      confirm: cluster => hasLeft(cluster, target, taken),
      async heal(cluster) {
        const member = cluster.member(target);
        if (taken.asked && (await member.waitExit(exitWithinMs)) === undefined) {
          // It was asked to go and hangs on: a deploy tool would pull the plug as well.
          member.signal('SIGKILL');
          await member.waitExit(exitWithinMs);
        }
        taken = { drained: false, asked: false };
        if (member.pid === undefined) await member.start();
        await cluster.proxyAdmin.ready(target);
        await waitReadmitted(cluster, member, healWithinMs);
        member.mark('up');
      },
    };
  },
};
