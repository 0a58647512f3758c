import { bringBack, goneInWords } from '../../cluster/probe.js';
import { countAtFeeder } from '../../cluster/redis-client.js';
import { memberGone, memberGoneInWords } from '../effects.js';
import type { FaultEntry } from '../fault.js';

const exitWithinMs = 2_000;

/** SIGKILL: the process gets no chance to say or save anything. Healed by a new boot on the same port. */
export const kill: FaultEntry = {
  summary: 'SIGKILL; healed by a new start on the same port',
  targets: ['backend', 'store', 'proxy'],
  options: {},
  effect: memberGone,
  effectInWords: memberGoneInWords,
  make: target => {
    /** A process that was dead before proves nothing: only what was alive here can have been killed here. */
    let struck = false;
    return {
      async inject(cluster) {
        struck = cluster.member(target).signal('SIGKILL');
      },
      async confirm(cluster) {
        const member = cluster.member(target);
        const exit = struck ? await member.waitExit(exitWithinMs) : undefined;
        return exit?.signal === 'SIGKILL' && goneInWords(member, exit);
      },
      measure: cluster => countAtFeeder(cluster, target),
      async heal(cluster) {
        const member = cluster.member(target);
        if (struck) await member.waitExit(exitWithinMs);
        struck = false;
        await bringBack(cluster, member);
      },
    };
  },
};
