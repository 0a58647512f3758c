import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ClusterMember } from '../../cluster/cluster.js';
import { bringBack } from '../../cluster/probe.js';
import type { Random } from '../../plan/random.js';
import { duration } from '../../scenario/values.js';
import { defineFault, silentEffect } from '../fault.js';

const exitWithinMs = 2_000;

/** Crash loop of a supervised process: SIGKILL, a time down, a new start, a time up, SIGKILL. */
export const flap = defineFault({
  summary: 'kills (SIGKILL) and starts a backend again and again; the seed decides the pauses',
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
