import { proxyStateIs, waitUntil } from '../../cluster/probe.js';
import { defineFault } from '../fault.js';

const readyWithinMs = 10_000;

/** Starts one more backend. Nothing is damaged, so healing undoes nothing: the backend stays in the pool. */
export const scaleOut = defineFault({
  summary: 'starts a backend that was not running, and the proxy sends it users; healing does not stop it',
  targets: ['backend'],
  startsTarget: true,
  needsDrain: true,
  options: {},
  effect: target => ({ kind: 'answered', member: target }),
  effectInWords: 'the new member answered users',
  make: target => {
    let started = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        if (member.isRunning)
          throw new Error(
            `${target} is already running: name a spare backend (system.backends.spare), or one that was scaled in`,
          );
        await member.start();
        started = true;
        // A backend that was scaled in before is still draining in the proxy.
        await cluster.proxyAdmin.ready(target);
      },
      async confirm(cluster) {
        if (!started || !(await cluster.member(target).answers(readyWithinMs))) return false;
        const seen = await waitUntil(() => proxyStateIs(cluster, target, 'ready'), readyWithinMs);
        return seen && `the proxy has ${target} ready`;
      },
      heal: async () => undefined,
    };
  },
});
