import { isStopped, startAgain, waitReadmitted, waitUntil } from '../../cluster/probe.js';
import { countAtPrimary, describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

const stopWithinMs = 1_000;
/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;
const healWithinMs = 15_000;

/** SIGSTOP: the kernel still accepts connections for the process, so a check that only connects notices nothing. */
export const hang: FaultEntry = {
  summary: 'SIGSTOP, later SIGCONT: a process accepts connections and answers nothing',
  targets: ['backend', 'store', 'proxy'],
  options: {},
  effect: memberGoneEffect,
  effectInWords: memberGoneInWords,
  make: target => {
    /** True when another fault has stopped the process. Resuming it here would end that fault too early. */
    let foreign = false;
    return {
      async inject(cluster) {
        const { pid } = cluster.member(target);
        foreign = pid !== undefined && (await isStopped(pid));
        if (foreign) throw new Error(`${target} is already stopped by another fault`);
        cluster.member(target).signal('SIGSTOP');
      },
      async confirm(cluster) {
        const member = cluster.member(target);
        const { pid } = member;
        if (pid === undefined || !(await waitUntil(() => isStopped(pid), stopWithinMs))) return false;
        member.mark('stopped');
        if (await member.answers(silentForMs)) return false;
        const seen = `stopped by SIGSTOP; no answer within ${silentForMs} ms`;
        if (primaryOf(target) === undefined) return seen;
        const waited = await describeUnreplicated(cluster, target);
        return waited && `${seen}; ${waited}`;
      },
      measure: cluster => countAtPrimary(cluster, target),
      async heal(cluster) {
        if (foreign) return;
        const member = cluster.member(target);
        if (!member.signal('SIGCONT')) await startAgain(member);
        await waitReadmitted(cluster, member, healWithinMs);
        member.mark('up');
      },
    };
  },
};
