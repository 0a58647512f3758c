import { bringBack } from '../../cluster/probe.js';
import { countAtPrimary } from '../../cluster/redis-client.js';
import { isStoreServer, serverOf, storeServers } from '../../cluster/stores/registry.js';
import { kindOf } from '../../cluster/targets.js';
import { defineFault, memberGoneEffect, memberGoneInWords } from '../fault.js';

const exitWithinMs = 5_000;

/** Sends SIGTERM, as an orderly restart does: a store that saves its data at the end does so. */
export const stop = defineFault({
  summary: 'SIGTERM of a store or an external member; healing starts it again, in the same role',
  targets: ['store', 'member'],
  // Healing kills what does not end.
  verbs: ['stop', 'kill'],
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  explainMissing: target => {
    if (kindOf(target) === 'member') return undefined;
    const server = serverOf(target);
    return isStoreServer(server) ? storeServers[server].survivesSigterm : undefined;
  },
  make: target => {
    let asked = false;
    return {
      async inject(cluster) {
        asked = await cluster.member(target).stop();
      },
      confirm: async cluster => asked && cluster.member(target).confirm('stop'),
      measure: cluster => countAtPrimary(cluster, target),
      async heal(cluster) {
        const member = cluster.member(target);
        if (asked && !(await member.waitEnd(exitWithinMs))) {
          await member.kill();
          await member.waitEnd(exitWithinMs);
        }
        asked = false;
        await bringBack(cluster, member);
      },
    };
  },
});
