import { bringBack } from '../../cluster/probe.js';
import { countAtPrimary } from '../../cluster/redis-client.js';
import { type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

const exitWithinMs = 2_000;

/** SIGKILL: the process cannot send or save anything. Healing starts a new process on the same port. */
export const kill: FaultEntry = {
  summary: 'SIGKILL; healing starts the process again on the same port',
  targets: ['backend', 'store', 'proxy', 'member'],
  verbs: ['kill'],
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  make: target => {
    /** True when the member was running. One that was dead before proves nothing. */
    let struck = false;
    return {
      async inject(cluster) {
        struck = await cluster.member(target).kill();
      },
      confirm: async cluster => struck && cluster.member(target).confirm('kill'),
      measure: cluster => countAtPrimary(cluster, target),
      async heal(cluster) {
        const member = cluster.member(target);
        if (struck) await member.waitEnd(exitWithinMs);
        struck = false;
        await bringBack(cluster, member);
      },
    };
  },
};
