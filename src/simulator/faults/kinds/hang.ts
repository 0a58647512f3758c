import { startAgain, waitReadmitted } from '../../cluster/probe.js';
import { countAtPrimary, describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

const healWithinMs = 15_000;

/** SIGSTOP: the kernel still accepts connections for the process, so a check that only connects notices nothing. */
export const hang: FaultEntry = {
  summary: 'SIGSTOP, later SIGCONT: a process accepts connections and answers nothing',
  targets: ['backend', 'store', 'proxy', 'member'],
  verbs: ['hang', 'resume'],
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  make: target => {
    /** True when the member hung before, by another fault. Resuming it here would end that fault too early. */
    let hungBefore = false;
    /** True when the member was running. One that was dead before proves nothing. */
    let struck = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        hungBefore = await member.isHung();
        if (hungBefore) throw new Error(`${target} is already stopped by another fault`);
        struck = await member.hang();
      },
      async confirm(cluster) {
        const seen = struck && (await cluster.member(target).confirm('hang'));
        if (seen === false || primaryOf(target) === undefined) return seen;
        const waited = await describeUnreplicated(cluster, target);
        return waited && `${seen}; ${waited}`;
      },
      measure: cluster => countAtPrimary(cluster, target),
      async heal(cluster) {
        if (hungBefore) return;
        const member = cluster.member(target);
        if (!(await member.resume())) await startAgain(member);
        await waitReadmitted(cluster, member, healWithinMs);
        member.mark('up');
      },
    };
  },
};
