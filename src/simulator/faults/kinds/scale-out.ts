import { eventually, proxyStateIs } from '../../cluster/probe.js';
import { defineFault } from '../fault.js';

const readyWithinMs = 10_000;

/** One more backend. No damage, so there is nothing to undo: the pool stays as large as it has become. */
export const scaleOut = defineFault({
  summary: 'a backend that was not running is started, and the proxy sends it users; it stays',
  targets: ['backend'],
  options: {},
  effect: target => ({ kind: 'answered', member: target }),
  effectInWords: 'the new member answered users',
  make: target => {
    let started = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        if (member.pid !== undefined)
          throw new Error(`${target} is running already: name a spare one (system.backends.spare), or one scaled in`);
        await member.start();
        started = true;
        // The proxy still drains one that was scaled in before.
        await cluster.proxyAdmin.ready(target);
      },
      async confirm(cluster) {
        if (!started || !(await cluster.member(target).answers(readyWithinMs))) return false;
        const seen = await eventually(() => proxyStateIs(cluster, target, 'ready'), readyWithinMs);
        return seen && `the proxy has ${target} ready`;
      },
      heal: async () => undefined,
    };
  },
});
