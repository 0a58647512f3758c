import { bringBack, proxyStateIs, startAgain, waitUntil } from '../../cluster/probe.js';
import { describeRemoval, type Removal, removeBackend } from '../../cluster/rollout.js';
import { defineFault, type FaultEntry, memberGoneEffect, memberGoneInWords } from '../fault.js';

/** Faults that take a backend out of service in order, or put one into service. */

const exitWithinMs = 5_000;

/** Proper deploy: the proxy drains the backend, then the process gets SIGTERM and ends by itself. */
export const drain: FaultEntry = {
  summary: 'the proxy drains a backend, then SIGTERM; healing starts it again and sets it ready',
  doneInWords: 'was drained',
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

/** Removes one backend for good. Sessions in its memory are lost after its drain window. `scale-out` restarts it. */
export const scaleIn = defineFault({
  summary: 'the proxy drains a backend, then SIGTERM; nothing replaces it and healing does not start it',
  doneInWords: 'was removed',
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
      heal: async () => undefined,
    };
  },
});

const readyWithinMs = 10_000;

/** Starts one more backend. Nothing is damaged, so healing undoes nothing: the backend stays in the pool. */
export const scaleOut = defineFault({
  summary: 'starts a backend that was not running, and the proxy sends it users; healing does not stop it',
  doneInWords: 'was added',
  targets: ['backend'],
  startsTarget: true,
  needsDrain: true,
  options: {},
  effect: target => ({ kind: 'answered', member: target }),
  effectInWords: 'the new member answered users',
  make: target => {
    let started = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        if (member.isRunning)
          throw new Error(
            `${target} is already running: name a spare backend (system.backends.spare), or one that was scaled in`,
          );
        await member.start();
        started = true;
        // A backend that was scaled in before is still draining in the proxy.
        await cluster.proxyAdmin.ready(target);
      },
      async confirm(cluster) {
        if (!started || !(await cluster.member(target).answers(readyWithinMs))) return false;
        const seen = await waitUntil(() => proxyStateIs(cluster, target, 'ready'), readyWithinMs);
        return seen && `the proxy has ${target} ready`;
      },
      heal: async () => undefined,
    };
  },
});
