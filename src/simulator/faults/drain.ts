import { eventually, waitReadmitted } from '../cluster/probe.js';
import type { FaultEntry } from '../fault.js';

/** Beyond any drain window that a scenario of a few seconds would set. */
const drainWithinMs = 30_000;
const exitWithinMs = 5_000;
const healWithinMs = 15_000;

/** A deploy, done well: the proxy sends nobody new, then the process is asked to end and ends by itself. */
export const drain: FaultEntry = {
  summary: 'drained by the proxy, then SIGTERM; healed by a new start and "ready"',
  targets: ['backend'],
  options: {},
  make: target => {
    let drained = false;
    let asked = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        await cluster.proxyAdmin.drain(target);
        member.mark('draining');
        drained = await eventually(async () => {
          const backends = await cluster.proxyAdmin.backends();
          return backends.some(backend => backend.name === target && backend.drained);
        }, drainWithinMs);
        asked = member.signal('SIGTERM');
      },
      async confirm(cluster) {
        const exit = drained && asked ? await cluster.member(target).waitExit(exitWithinMs) : undefined;
        return exit?.code === 0;
      },
      async heal(cluster) {
        const member = cluster.member(target);
        if (asked && (await member.waitExit(exitWithinMs)) === undefined) {
          // It was asked to go and hangs on: a deploy tool would pull the plug as well.
          member.signal('SIGKILL');
          await member.waitExit(exitWithinMs);
        }
        asked = false;
        if (member.pid === undefined) await member.start();
        await cluster.proxyAdmin.ready(target);
        await waitReadmitted(cluster, member, healWithinMs);
        member.mark('up');
      },
    };
  },
};
