import { eventually, isStopped, waitReadmitted } from '../cluster/probe.js';
import { feederOf, unreplicated } from '../cluster/replication.js';
import type { FaultEntry } from '../fault.js';

const stopWithinMs = 1_000;
/** A live process on loopback answers within a few milliseconds. */
const silentForMs = 250;
const healWithinMs = 15_000;

/** SIGSTOP: the kernel goes on accepting connections for it, so a check that only connects sees nothing. */
export const hang: FaultEntry = {
  summary: 'SIGSTOP, later SIGCONT: accepts connections and answers nothing',
  targets: ['backend', 'store', 'proxy'],
  options: {},
  make: target => ({
    async inject(cluster) {
      cluster.member(target).signal('SIGSTOP');
    },
    async confirm(cluster) {
      const member = cluster.member(target);
      const { pid } = member;
      if (pid === undefined || !(await eventually(() => isStopped(pid), stopWithinMs))) return false;
      member.mark('stopped');
      if (await member.answers(silentForMs)) return false;
      return feederOf(target) === undefined ? true : unreplicated(cluster, target);
    },
    async heal(cluster) {
      const member = cluster.member(target);
      if (!member.signal('SIGCONT')) await member.start();
      await waitReadmitted(cluster, member, healWithinMs);
      member.mark('up');
    },
  }),
};
