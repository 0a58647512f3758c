import { drawExponential, pick, type Random, randomStream } from '#src/simulator/plan/random.js';

const troubleKinds = ['kill', 'hang', 'drain', 'reload'] as const;
export type TroubleKind = (typeof troubleKinds)[number];

/** A planned fault of a backend. `reload`: it leaves the proxy's configuration and comes back. */
export interface PlannedTrouble {
  readonly kind: TroubleKind;
  readonly backend: string;
  readonly atMs: number;
  readonly lastsMs: number;
}

/** A fault that happened, from before its begin until its end was seen. */
export interface Trouble {
  readonly kind: TroubleKind;
  readonly backend: string;
  readonly fromMs: number;
  /** Infinity while it lasts. */
  untilMs: number;
  /** For a kill: when the backend was seen to be dead. On a busy machine that is long after the signal. */
  deadMs?: number;
}

/** Shortest and longest duration of each kind. A hang is shorter than the proxy's time-out for an answer (30 s). */
const spansMs: Record<TroubleKind, readonly [number, number]> = {
  kill: [300, 3_000],
  hang: [1_000, 10_000],
  drain: [2_000, 8_000],
  reload: [500, 4_000],
};

/**
 * Plans the faults of each lane. A lane owns some of the backends and disturbs one of them at a time. With two lanes of
 * two backends each, two backends are always healthy. Each lane runs through all kinds in an order of its own, so
 * chance leaves none out. No fault begins in the last fifth of the time.
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
    let atMs = drawExponential(random, plan.meanGapMs / 2);
    for (const kind of turns(random)) {
      if (atMs > plan.durationMs * 0.8) return troubles;
      const [from, to] = spansMs[kind];
      const lastsMs = Math.round(from + random() * (to - from));
      troubles.push({ kind, backend: pick(random, backends) ?? '', atMs: Math.round(atMs), lastsMs });
      atMs += lastsMs + drawExponential(random, plan.meanGapMs);
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
