import { exponential, pick, type Random, randomStream } from '#src/simulator/plan/random.js';

const troubleKinds = ['kill', 'hang', 'drain', 'reload'] as const;
export type TroubleKind = (typeof troubleKinds)[number];

/** What is to happen to a backend, and when. `reload`: it leaves the proxy's configuration and comes back. */
export interface PlannedTrouble {
  readonly kind: TroubleKind;
  readonly backend: string;
  readonly atMs: number;
  readonly lastsMs: number;
}

/** What has happened: from before it began until it was seen to be over. */
export interface Trouble {
  readonly kind: TroubleKind;
  readonly backend: string;
  readonly fromMs: number;
  /** Infinity as long as it lasts. */
  untilMs: number;
  /** Of a kill: when the backend was seen to be dead, which on a busy machine is long after the signal. */
  deadMs?: number;
}

/** How long each lasts: from, to. A hang stays below the time in which the proxy gives an answer up (30 s). */
const spansMs: Record<TroubleKind, readonly [number, number]> = {
  kill: [300, 3_000],
  hang: [1_000, 10_000],
  drain: [2_000, 8_000],
  reload: [500, 4_000],
};

/**
 * Troubles for each lane: a lane owns some of the backends and troubles one of them at a time, so that of two lanes
 * with two backends each there are always two that nobody troubles. Each lane has its kinds in turns, in an order of
 * its own: none is left out by chance. Nothing begins in the last fifth.
 */
export function planTroubles(plan: {
  readonly seed: number;
  readonly durationMs: number;
  readonly meanGapMs: number;
  readonly lanes: readonly (readonly string[])[];
}): PlannedTrouble[][] {
  return plan.lanes.map((backends, lane) => {
    const random = randomStream(plan.seed, `lane-${lane}`);
    const troubles: PlannedTrouble[] = [];
    let atMs = exponential(random, plan.meanGapMs / 2);
    for (const kind of turns(random)) {
      if (atMs > plan.durationMs * 0.8) return troubles;
      const [from, to] = spansMs[kind];
      const lastsMs = Math.round(from + random() * (to - from));
      troubles.push({ kind, backend: pick(random, backends) ?? '', atMs: Math.round(atMs), lastsMs });
      atMs += lastsMs + exponential(random, plan.meanGapMs);
    }
    return troubles;
  });
}

function* turns(random: Random): Generator<TroubleKind> {
  for (;;) {
    const left = [...troubleKinds];
    while (left.length > 0) yield* left.splice(Math.floor(random() * left.length), 1);
  }
}
