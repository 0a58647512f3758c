import type { Cluster } from '#src/simulator/cluster/cluster.js';
import type { FaultStage } from '#src/simulator/faults/schedule.js';
import { LiveCounts } from '#src/simulator/faults/trigger.js';
import type { FaultEvent } from '#src/simulator/run/journal.js';
import { RunClock } from '#src/simulator/run/run-clock.js';

interface Staged {
  readonly stage: FaultStage;
  readonly interrupt: () => void;
}

/** Creates the stage for faults in a test. The phase begins now; `interrupt` does the same as Ctrl-C. */
export function stage(
  cluster: Cluster,
  transitions: string[],
  onTransition: (edge: string) => void = () => undefined,
): Staged {
  const interruption = new AbortController();
  const clock = new RunClock();
  const note = (id: string, what: FaultEvent): void => {
    transitions.push(`${id} ${what}`);
    onTransition(`${id} ${what}`);
  };
  const { signal } = interruption;
  const made: FaultStage = {
    cluster,
    clock,
    counts: new LiveCounts(),
    seed: 1,
    startMs: 0,
    endMs: 500,
    signal,
    onTransition: note,
  };
  const interrupt = (): void => {
    interruption.abort();
    clock.close();
  };
  return { interrupt, stage: made };
}
