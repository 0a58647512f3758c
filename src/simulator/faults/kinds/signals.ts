import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ClusterMember } from '../../cluster/cluster.js';
import { bringBack, startAgain, waitReadmitted } from '../../cluster/probe.js';
import { countAtPrimary, describeUnreplicated, primaryOf } from '../../cluster/redis-client.js';
import { isStoreServer, serverOf, storeServers } from '../../cluster/stores/registry.js';
import { kindOf } from '../../cluster/targets.js';
import type { Random } from '../../plan/random.js';
import { duration } from '../../scenario/values.js';
import { defineFault, type FaultEntry, memberGoneEffect, memberGoneInWords, silentEffect } from '../fault.js';

/** Faults that send signals to a process. */

const killedWithinMs = 2_000;

/** SIGKILL: the process cannot send or save anything. Healing starts a new process on the same port. */
export const kill: FaultEntry = {
  summary: 'SIGKILL; healing starts the process again on the same port',
  doneInWords: 'was killed',
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
  doneInWords: 'was frozen',
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
  doneInWords: 'was stopped',
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

const exitWithinMs = 2_000;

/** Crash loop of a supervised process: SIGKILL, a time down, a new start, a time up, SIGKILL. */
export const flap = defineFault({
  summary: 'kills (SIGKILL) and starts a backend again and again; the seed decides the pauses',
  doneInWords: 'is killed and started again and again',
  targets: ['backend', 'member'],
  verbs: ['kill'],
  options: {
    up: duration()
      .describe('How long it runs between two kills. The seed makes it up to half longer or shorter.')
      .meta({ examples: ['1s'] }),
    down: duration()
      .describe('How long it stays dead each time. The seed makes it up to half longer or shorter.')
      .meta({ examples: ['1s'] }),
  },
  effect: target => ({ ...silentEffect(target), whileDown: true }),
  effectInWords: 'the member had answered users before, and answered none while it was down',
  make(target, { up, down }, random) {
    let stopping = new AbortController();
    let flapping: Promise<void> | undefined;
    let struck = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        stopping = new AbortController();
        const { signal } = stopping;
        struck = await member.kill();
        // A run that is interrupted heals without waiting for a slow command.
        signal.throwIfAborted();
        const pause = createPause(random, signal);
        flapping = flapUntilHealed(member, { up: () => pause(up), down: () => pause(down) });
        // `heal` handles the rejection.
        flapping.catch(() => undefined);
      },
      confirm: async cluster => struck && cluster.member(target).confirm('kill'),
      async heal(cluster: Cluster) {
        stopping.abort();
        const ended = flapping;
        flapping = undefined;
        // A command of a driver can fail while it flaps. The member must come back all the same.
        try {
          await ended;
        } finally {
          await bringBack(cluster, cluster.member(target));
        }
      },
    };
  },
});

/**
 * Waits for the end of the first process, then starts and kills the member in turn. `down` and `up` resolve with false
 * when the fault is over. A start fails when another fault kills the member meanwhile, and is then tried again. Only
 * the start in `heal` decides whether the member boots.
 */
async function flapUntilHealed(
  member: ClusterMember,
  wait: { up(): Promise<boolean>; down(): Promise<boolean> },
): Promise<void> {
  await member.waitEnd(exitWithinMs);
  while (await wait.down()) {
    await member.start().catch(() => undefined);
    if (!(await wait.up())) return;
    await member.kill('again');
    await member.waitEnd(exitWithinMs);
  }
}

function createPause(random: Random, signal: AbortSignal): (ms: number) => Promise<boolean> {
  return ms =>
    sleep(ms * (0.5 + random()), undefined, { signal }).then(
      () => true,
      () => false,
    );
}
