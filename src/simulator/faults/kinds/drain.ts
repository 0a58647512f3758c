import { bringBack, startAgain } from '../../cluster/probe.js';
import { describeRemoval, type Removal, removeBackend } from '../../cluster/remove-backend.js';
import { memberGoneEffect, memberGoneInWords } from '../effects.js';
import type { FaultEntry } from '../fault.js';

const exitWithinMs = 5_000;

/** A deploy, done well: the proxy sends it no new users, then the process is asked to end and ends by itself. */
export const drain: FaultEntry = {
  summary: 'drained by the proxy, then SIGTERM; healed by a new start and "ready"',
  targets: ['backend'],
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
        if (taken.asked && (await member.waitExit(exitWithinMs)) === undefined) {
          // It does not end at SIGTERM: a deploy tool kills it as well.
          member.signal('SIGKILL');
          await member.waitExit(exitWithinMs);
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
