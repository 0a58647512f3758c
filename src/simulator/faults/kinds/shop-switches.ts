import type { Cluster, ClusterMember } from '../../cluster/cluster.js';
import { ask, startAgain, waitReadmitted, waitUntil } from '../../cluster/probe.js';
import type { TargetSystem } from '../../cluster/targets.js';
import { duration, percentage, signedDuration } from '../../scenario/values.js';
import { defineFault, type Fault } from '../fault.js';

/** Faults that the toy shop makes itself, by its switches. It has them only with SHOP_LAB. */

/** Enough time for seven hundred requests: even at one percent, one of them almost certainly fails. */
const errorWithinMs = 10_000;

/** Fails some requests, as a bad release does. The backend runs and its health check succeeds. Half of the errors come
 * after the work was done. */
export const errors = defineFault({
  summary: 'a backend answers a percentage of requests with 500, half of these after it has done the work',
  doneInWords: 'answers some requests with errors',
  targets: ['backend'],
  bySwitch: true,
  effect: target => ({ kind: 'broken', member: target }),
  effectInWords: 'a user got an error from the backend, or a retry hid it from the user',
  options: {
    percent: percentage(100)
      .describe('Percentage of failed requests, among those that read a session.')
      .meta({ examples: [50] }),
  },
  explainMissing: (_target, system) => explainNoSwitches(system, 'errors'),
  make(target, { percent }) {
    let asked = 0;
    return shopSwitchFault(target, {
      on: { errorPercent: percent },
      off: { errorPercent: 0 },
      confirm: member =>
        askUntil(member, '/me', errorWithinMs, ({ status }) => {
          asked += 1;
          return status === 500 ? `GET /me answered 500 at try ${asked}` : undefined;
        }),
    });
  },
});

/** Blocks the event loop, as a long computation or garbage collection does. The server has one thread and cannot answer
 * meanwhile. */
export const block = defineFault({
  summary: 'blocks the event loop of a backend again and again: all its users wait',
  doneInWords: 'is blocked again and again',
  targets: ['backend'],
  bySwitch: true,
  effect: (target, { stall }) => ({ kind: 'slow', member: target, atLeastMs: stall / 2 }),
  effectInWords: 'an answer of the backend took at least half of the stall',
  options: {
    stall: duration(1, '10s')
      .describe('How long the event loop is blocked each time.')
      .meta({ examples: ['300ms'] }),
    every: duration(1, '30s')
      .describe('Time between the starts of two stalls. It must be longer than stall.')
      .meta({ examples: ['1s'] }),
  },
  explainMissing: (_target, system, { stall, every }) =>
    explainNoSwitches(system, 'stalls') ??
    (stall >= every
      ? `found a stall of ${stall}ms every ${every}ms, expected every to be longer than stall`
      : undefined),
  make: (target, { stall, every }) =>
    shopSwitchFault(target, {
      on: { blockMs: stall, blockEveryMs: every },
      off: { blockMs: 0 },
      confirm: member =>
        askUntil(member, '/health', 5 * every, ({ tookMs }) =>
          tookMs >= stall / 2 ? `GET /health took ${tookMs} ms` : undefined,
        ),
    }),
});

const skewWithinMs = 2_000;
/** Tolerance for the time between reading the two clocks. */
const toleranceMs = 500;

/** Moves the clock of one backend, as when its time service has died. Its deadlines and the times in its tokens then
 * differ from those of the others. */
export const clockSkew = defineFault({
  summary: 'moves the clock of one backend ahead of the others, or behind them',
  doneInWords: 'has a wrong clock',
  targets: ['backend'],
  bySwitch: true,
  effect: target => ({ kind: 'answered', member: target }),
  effectInWords: 'the backend with the wrong clock answered users between confirmation and healing',
  options: {
    by: signedDuration
      .describe('How far the clock is ahead of the others; with a minus: behind them.')
      .meta({ examples: ['+5min'] }),
  },
  explainMissing: (_target, system) => explainNoSwitches(system, 'another clock'),
  make: (target, { by }) =>
    shopSwitchFault(target, {
      on: { clockMs: by },
      off: { clockMs: 0 },
      confirm: member =>
        askUntil(member, '/lab', skewWithinMs, ({ json }) => {
          const skewMs = readNow(json) - Date.now();
          if (Math.abs(skewMs - by) > Math.min(toleranceMs, Math.abs(by) / 2)) return undefined;
          return `its clock is ${Math.round(skewMs / 100) / 10} s off`;
        }),
    }),
});

function readNow(json: unknown): number {
  return typeof json === 'object' && json !== null && 'nowMs' in json ? Number(json.nowMs) : Number.NaN;
}

/** Switches of the toy shop, with the names of its `/lab` request. */
interface ShopSwitches {
  readonly errorPercent?: number;
  readonly blockMs?: number;
  readonly blockEveryMs?: number;
  readonly clockMs?: number;
}

interface SwitchFault {
  readonly on: ShopSwitches;
  readonly off: ShopSwitches;
  /** Asks the backend until the fault shows. Returns the evidence; false when it does not show in time. */
  confirm(member: ClusterMember): Promise<string | false>;
}

const answerWithinMs = 15_000;
const healWithinMs = 15_000;

/** Creates a fault that the toy shop makes itself, on request. A new process does not have it any more. */
function shopSwitchFault(target: string, { on, off, confirm }: SwitchFault): Fault {
  let asked = false;
  return {
    async inject(cluster) {
      asked = true;
      await setSwitches(cluster.member(target), on);
    },
    confirm: async cluster => asked && (await confirm(cluster.member(target))),
    async heal(cluster: Cluster) {
      const member = cluster.member(target);
      if (!asked) return;
      if (!member.isRunning) await startAgain(member);
      else await setSwitches(member, off);
      asked = false;
      await waitReadmitted(cluster, member, healWithinMs);
    },
  };
}

async function setSwitches(member: ClusterMember, switches: ShopSwitches): Promise<void> {
  const { status } = await ask('POST', `http://127.0.0.1:${member.port}/lab`, answerWithinMs, switches);
  if (status !== 200)
    throw new Error(
      `${member.name} answered ${status} to POST /lab; expected 200, as the toy shop does with SHOP_LAB=1`,
    );
}

/** Requests a path of a member again and again until `look` returns evidence. Returns false when the time is over. */
async function askUntil(
  member: ClusterMember,
  path: string,
  withinMs: number,
  look: (answer: { readonly status: number; readonly json: unknown; readonly tookMs: number }) => string | undefined,
): Promise<string | false> {
  let seen: string | undefined;
  await waitUntil(async () => {
    const began = performance.now();
    const answer = await ask('GET', `http://127.0.0.1:${member.port}${path}`, answerWithinMs);
    seen = look({ ...answer, tookMs: Math.round(performance.now() - began) });
    return seen !== undefined;
  }, withinMs);
  return seen ?? false;
}

/** Says for `explainMissing` that a program of the user has no switches. Undefined for the toy shop. */
function explainNoSwitches({ backends }: TargetSystem, what: string): string | undefined {
  if (backends.command === undefined) return undefined;
  return `found a backend of your own (system.backends.command), expected the toy shop: only it can simulate ${what}. Break yours with "do: exec"`;
}
