import { bringBack, startAgain, waitReadmitted } from '../../cluster/probe.js';
import { countAtPrimary, describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { isStoreServer, serverOf, storeServers } from '../../cluster/stores/registry.js';
import { kindOf } from '../../cluster/targets.js';
import { defineFault, type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

/** Faults that send one signal to a process. */

const killedWithinMs = 2_000;

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
        if (struck) await member.waitEnd(killedWithinMs);
        struck = false;
        await bringBack(cluster, member);
      },
    };
  },
};

const resumedWithinMs = 15_000;

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
        await waitReadmitted(cluster, member, resumedWithinMs);
        member.mark('up');
      },
    };
  },
};

const stoppedWithinMs = 5_000;

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
        if (asked && !(await member.waitEnd(stoppedWithinMs))) {
          await member.kill();
          await member.waitEnd(stoppedWithinMs);
        }
        asked = false;
        await bringBack(cluster, member);
      },
    };
  },
});
