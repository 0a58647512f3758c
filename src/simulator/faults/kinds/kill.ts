import { bringBack, describeGone } from '../../cluster/probe.js';
import { countAtPrimary } from '../../cluster/redis-client.js';
import { type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

const exitWithinMs = 2_000;

/** SIGKILL: the process cannot send or save anything. Healing starts a new process on the same port. */
export const kill: FaultEntry = {
  summary: 'SIGKILL; healing starts the process again on the same port',
  targets: ['backend', 'store', 'proxy'],
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  make: target => {
    /** True when the signal reached a running process. A process that was dead before proves nothing. */
    let struck = false;
    return {
      async inject(cluster) {
        struck = cluster.member(target).signal('SIGKILL');
      },
      async confirm(cluster) {
        const member = cluster.member(target);
        const exit = struck ? await member.waitExit(exitWithinMs) : undefined;
        return exit?.signal === 'SIGKILL' && describeGone(member, exit);
      },
      measure: cluster => countAtPrimary(cluster, target),
      async heal(cluster) {
        const member = cluster.member(target);
        if (struck) await member.waitExit(exitWithinMs);
        struck = false;
        await bringBack(cluster, member);
      },
    };
  },
};
