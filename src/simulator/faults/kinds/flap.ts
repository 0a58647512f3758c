import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ClusterMember } from '../../cluster/cluster.js';
import { bringBack, describeGone } from '../../cluster/probe.js';
import type { Random } from '../../plan/random.js';
import { duration } from '../../scenario/values.js';
import { defineFault } from '../fault.js';

const exitWithinMs = 2_000;

/** A process that its supervisor starts again and again: SIGKILL, a while down, a boot, a while up, SIGKILL. */
export const flap = defineFault({
  summary: 'SIGKILL and a new start in turn, on a schedule that follows the seed',
  targets: ['backend'],
  options: {
    up: duration().describe('How long it runs between two kills, half as much more or less by chance.'),
    down: duration().describe('How long it stays dead each time, half as much more or less by chance.'),
  },
  effect: target => ({ kind: 'silent', member: target, whileDown: true }),
  effectInWords: 'the member had answered users before, and answered none while it was down',
  make(target, { up, down }, random) {
    let stopping = new AbortController();
    let flapping: Promise<void> | undefined;
    let struck = false;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        struck = member.signal('SIGKILL');
        stopping = new AbortController();
        const pause = createPause(random, stopping.signal);
        flapping = flapUntilHealed(member, { up: () => pause(up), down: () => pause(down) });
        // Looked at when it is healed.
        flapping.catch(() => undefined);
      },
      async confirm(cluster) {
        const member = cluster.member(target);
        const exit = struck ? await member.waitExit(exitWithinMs) : undefined;
        return exit?.signal === 'SIGKILL' && describeGone(member, exit);
      },
      async heal(cluster: Cluster) {
        stopping.abort();
        const ended = flapping;
        flapping = undefined;
        await ended;
        await bringBack(cluster, cluster.member(target));
      },
    };
  },
});

/**
 * Starts and kills it in turn, beginning with the end of the first process. `down` and `up` answer false when it is over. A start that fails, since another
 * fault kills it then, is tried again: whether it boots is decided when it is healed.
 */
async function flapUntilHealed(
  member: ClusterMember,
  wait: { up(): Promise<boolean>; down(): Promise<boolean> },
): Promise<void> {
  await member.waitExit(exitWithinMs);
  while (await wait.down()) {
    await member.start().catch(() => undefined);
    if (!(await wait.up())) return;
    member.signal('SIGKILL');
    await member.waitExit(exitWithinMs);
  }
}

function createPause(random: Random, signal: AbortSignal): (ms: number) => Promise<boolean> {
  return ms =>
    sleep(ms * (0.5 + random()), undefined, { signal }).then(
      () => true,
      () => false,
    );
}
