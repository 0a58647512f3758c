import { bringBack, startAgain } from '../../cluster/probe.js';
import { describeRemoval, type Removal, removeBackend } from '../../cluster/remove-backend.js';
import { type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

const exitWithinMs = 5_000;

/** Proper deploy: the proxy drains the backend, then the process gets SIGTERM and ends by itself. */
export const drain: FaultEntry = {
  summary: 'the proxy drains a backend, then SIGTERM; healing starts it again and sets it ready',
  targets: ['backend'],
  needsDrain: true,
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  make: target => {
    let taken: Removal = { drained: false, asked: false };
    return {
      async inject(cluster) {
        taken = await removeBackend(cluster, target);
      },
      confirm: cluster => describeRemoval(cluster, target, taken),
      async heal(cluster) {
        const member = cluster.member(target);
        if (taken.asked && !(await member.waitEnd(exitWithinMs))) {
          // It did not end at SIGTERM. A deploy tool would kill it now, too.
          await member.kill();
          await member.waitEnd(exitWithinMs);
        }
        taken = { drained: false, asked: false };
        await startAgain(member);
        await cluster.proxyAdmin.ready(target);
        await bringBack(cluster, member);
        member.mark('up');
      },
    };
  },
};
